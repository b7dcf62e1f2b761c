"""Due rows: one reminder of one customer about one subject."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from notifyhub.customers.models import Customer
from notifyhub.customers.words import attribute_words
from notifyhub.reminders.models.occasion import Occasion
from notifyhub.reminders.models.rule import ReminderRule


class Reminder(models.Model):
    """One due row. Unique by rule, subject, step, occurrence and round, so asking twice makes nothing twice.

    `due_at` is when it goes; `wanted_at` when its offset alone would have sent it, if a day off or the hours
    of the rule moved it. Rule, customer and subject repeat the occasion's, for the lists and the ledger.
    """

    class State(models.TextChoices):
        PLANNED = "planned", _("Planned")
        DISPATCHED = "dispatched", _("Handed to sending")
        STOPPED = "stopped", _("Stopped")
        SKIPPED = "skipped", _("Skipped")

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
        STEP_GONE = "step_gone", _("The step was removed from the rule")
        LATE = "late", _("Too late: past its grace period")
        OFF_DAY = "off_day", _("A day off")
        CONDITION = "condition", _("A condition of the rule leaves it out")
        CUSTOMER_MAX = "customer_max", _("The customer has had the most that the rule allows")
        SUBJECT_GAP = "subject_gap", _("Too soon after the last one about this subject")
        SUBJECT_MAX = "subject_max", _("The most about one subject is reached")
        HELD_OUT = "held_out", _("Held out, to measure what reminders do")

    occasion = models.ForeignKey(
        Occasion, models.CASCADE, related_name="reminders", verbose_name=_("occasion")
    )
    # As in an occasion, the database checks neither of these two.
    rule = models.ForeignKey(
        ReminderRule,
        models.PROTECT,
        db_constraint=False,
        related_name="reminders",
        verbose_name=_("rule"),
    )
    step = models.PositiveSmallIntegerField(_("step"))
    round = models.PositiveSmallIntegerField(_("round"), default=0)
    customer = models.ForeignKey(
        Customer, models.CASCADE, db_constraint=False, related_name="reminders", verbose_name=_("customer")
    )
    subject_ref = models.CharField(_("subject"), max_length=80)
    occurrence = models.PositiveIntegerField(_("occurrence"), default=0)
    due_at = models.DateTimeField(_("due at"))
    wanted_at = models.DateTimeField(_("wanted at"), null=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.PLANNED)
    reason = models.CharField(_("reason"), max_length=12, choices=Reason, blank=True)
    # What exactly the reason was: the event's name, the order's state, the condition, the number.
    detail = models.CharField(_("detail"), max_length=80, blank=True)
    dispatch_id = models.BigIntegerField(_("dispatch"), null=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    settled_at = models.DateTimeField(_("settled at"), null=True)

    class Meta:
        verbose_name = _("due reminder")
        verbose_name_plural = _("due reminders")
        ordering = ["due_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "subject_ref", "step", "occurrence", "round"], name="reminders_reminder_once"
            ),
            models.CheckConstraint(
                name="reminders_reminder_dispatched_iff_dispatch",
                condition=Q(state="dispatched", dispatch_id__isnull=False)
                | ~Q(state="dispatched") & Q(dispatch_id__isnull=True),
            ),
        ]
        indexes = [
            # For the tick: what is due, by rule and step.
            models.Index(
                fields=["due_at", "rule", "step"], name="reminders_reminder_due", condition=Q(state="planned")
            ),
            # For the list: by state, by time.
            models.Index(fields=["state", "-due_at"], name="reminders_reminder_state"),
            models.Index(fields=["subject_ref"], name="reminders_reminder_subject"),
            # For what became of reminders today.
            models.Index(
                fields=["settled_at"],
                name="reminders_reminder_settled",
                condition=Q(settled_at__isnull=False),
            ),
            models.Index(fields=["customer", "-due_at"], name="reminders_reminder_customer"),
            models.Index(fields=["rule", "-due_at"], name="reminders_reminder_rule"),
        ]

    def __str__(self) -> str:
        return f"{self.rule} · {self.subject}"

    @property
    def subject(self) -> str:
        """Return what it is about as people say it: the order's number, or the profile's field."""
        kind, _colon, rest = self.subject_ref.partition(":")
        name = self.subject_ref.rpartition(":")[2]
        return str(attribute_words(name)) if kind == "customer" and ":" in rest else name
