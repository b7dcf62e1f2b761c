"""Occasions: one customer, one subject, one time that a rule applies to it."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from notifyhub.customers.models import Customer, Order
from notifyhub.customers.words import attribute_words
from notifyhub.reminders.models.rule import ReminderRule
from notifyhub.reminders.models.version import RuleVersion


class Occasion(models.Model):
    """What a customer is reminded of, from the moment the rule applies until it is done, stopped or through.

    Unique by rule, subject and occurrence. `occurrence` is the year for a yearly date, the day (YYYYMMDD) for
    a date that comes once, and counts from 0 for orders and events: a moved booking moves its occasion, but
    once something was sent, a move by a day or more is another one with the next number.
    `facts` are the properties of the event it began with; its templates may use them. One that is held out
    gets nothing and is counted all the same.
    """

    class State(models.TextChoices):
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        STOPPED = "stopped", _("Stopped")
        THROUGH = "through", _("All steps are through")

    class Reason(models.TextChoices):
        ORDER_STATE = "order_state", _("The order no longer needs it")
        PAID = "paid", _("It is paid in full")
        EVENT = "event", _("What it waited for has happened")
        HELD = "held", _("The subject is on hold")
        REACTED = "reacted", _("The customer has read or clicked a message")
        NEWER = "newer", _("A newer status has replaced it")
        NO_DATE = "no_date", _("The date was taken away")
        RULE_OFF = "rule_off", _("The rule was paused or archived")
        CUSTOMER_GONE = "gone", _("The customer was merged, blocked or erased")

    # Without constraints of the database: nothing deletes rules, customers or orders, the rows are written
    # from theirs by one statement, and checking four references of each took as long as writing it.
    rule = models.ForeignKey(
        ReminderRule,
        models.PROTECT,
        db_constraint=False,
        related_name="occasions",
        verbose_name=_("rule"),
    )
    rule_version = models.ForeignKey(
        RuleVersion,
        models.PROTECT,
        db_constraint=False,
        related_name="occasions",
        verbose_name=_("version of the rule"),
    )
    customer = models.ForeignKey(
        Customer, models.CASCADE, db_constraint=False, related_name="occasions", verbose_name=_("customer")
    )
    order = models.ForeignKey(
        Order,
        models.CASCADE,
        db_constraint=False,
        null=True,
        related_name="occasions",
        verbose_name=_("order"),
    )
    subject_ref = models.CharField(_("subject"), max_length=80)
    occurrence = models.PositiveIntegerField(_("occurrence"), default=0)
    anchor_at = models.DateTimeField(_("counted from"))
    event_id = models.BigIntegerField(_("event"), null=True)
    facts = models.JSONField(_("facts"), default=dict)
    held_out = models.BooleanField(_("held out"), default=False)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.RUNNING)
    reason = models.CharField(_("reason"), max_length=12, choices=Reason, blank=True)
    # What exactly ended it: the event's name, the order's state.
    detail = models.CharField(_("detail"), max_length=80, blank=True)
    started_at = models.DateTimeField(_("began at"), auto_now_add=True)
    ended_at = models.DateTimeField(_("ended at"), null=True)
    # When its goal was reached, and after which step (0: before the first).
    done_at = models.DateTimeField(_("done at"), null=True)
    done_step = models.PositiveSmallIntegerField(_("done after step"), null=True)

    class Meta:
        verbose_name = _("occasion")
        verbose_name_plural = _("occasions")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "subject_ref", "occurrence"], name="reminders_occasion_once"
            )
        ]
        indexes = [
            # For the tick: what runs, by rule.
            models.Index(fields=["rule", "id"], name="reminders_occasion_open", condition=Q(state="running")),
            # For the versions by which something still runs.
            models.Index(
                fields=["rule_version"], name="reminders_occasion_version", condition=Q(state="running")
            ),
            # For what happens to an order or a subject.
            models.Index(fields=["subject_ref"], name="reminders_occasion_subject"),
            models.Index(fields=["customer", "-id"], name="reminders_occasion_customer"),
            # For the report: what began when, by rule.
            models.Index(fields=["rule", "-started_at"], name="reminders_occasion_report"),
        ]

    def __str__(self) -> str:
        return f"{self.rule} · {self.subject}"

    @property
    def subject(self) -> str:
        """Return what it is about as people say it: the order's number, or the profile's field."""
        kind, _colon, rest = self.subject_ref.partition(":")
        name = self.subject_ref.rpartition(":")[2]
        return str(attribute_words(name)) if kind == "customer" and ":" in rest else name
