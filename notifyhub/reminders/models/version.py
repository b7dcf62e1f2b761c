"""What a rule does, frozen once an occasion has begun by it."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from notifyhub.customers.models import Order
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.reminders.models.rule import ReminderRule
from notifyhub.staff.models import BusinessCalendar, User


class RuleVersion(models.Model):
    """When to remind whom of what, and what ends it.

    It starts from an order's date, from a date in the customer's profile, or when an event arrives. The date
    counted from is `date_field`: a column of the order, a field of the profile, or a property of the event
    (empty: the moment of the event).
    """

    class Start(models.TextChoices):
        ORDER = "order", _("A date of an order")
        CUSTOMER = "customer", _("A date in the customer's profile")
        EVENT = "event", _("Something happens")

    class OrderDate(models.TextChoices):
        """The dates of an order that a rule can count from."""

        DUE = "due_at", _("Payment due")
        STARTS = "starts_at", _("Check-in or departure")
        PROMISED = "promised_at", _("Promised for")
        PLACED = "placed_at", _("Placed")
        FULFILLED = "fulfilled_at", _("Delivered or completed")

    class Again(models.TextChoices):
        """What a second start event does while an occasion of the same subject is running."""

        RESTART = "restart", _("Count anew from the newer one")
        IGNORE = "ignore", _("Keep counting from the first")

    class OffDay(models.TextChoices):
        """Where a reminder goes that falls on a day off."""

        BEFORE = "before", _("The working day before")
        AFTER = "after", _("The next working day")
        SKIP = "skip", _("Nowhere: it is left out")

    class Matching(models.TextChoices):
        """Whose events end an occasion."""

        SUBJECT = "subject", _("Events about the same order or subject")
        CUSTOMER = "customer", _("Any such event of the customer")

    rule = models.ForeignKey(ReminderRule, models.CASCADE, related_name="versions", verbose_name=_("rule"))
    number = models.PositiveIntegerField(_("version"))
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("written by")
    )

    start = models.CharField(_("starts from"), max_length=10, choices=Start)
    event_name = models.CharField(_("event"), max_length=80, blank=True)
    # [{"property": "cart_value", "operator": "at_least", "value": 100}, …]; all must hold.
    event_filters = models.JSONField(_("only when"), default=list, blank=True)
    date_field = models.CharField(_("counted from"), max_length=60, blank=True)
    yearly = models.BooleanField(_("every year"), default=False)
    # For events: the property that says what it is about; empty: the order, else the event itself.
    subject_property = models.CharField(_("about"), max_length=60, blank=True)
    again = models.CharField(_("if it happens again"), max_length=10, choices=Again, default=Again.RESTART)
    # An order's newer status ends what an older one has not sent yet, across all rules that say so.
    newer_cancels = models.BooleanField(_("a newer status replaces an older one"), default=False)
    lines = ArrayField(
        models.CharField(max_length=10, choices=Order.Line),
        default=list,
        blank=True,
        verbose_name=_("business lines"),
        help_text=_("Empty: all."),
    )

    stop_states = ArrayField(
        models.CharField(max_length=12, choices=Order.State),
        default=list,
        blank=True,
        verbose_name=_("stops when the order is"),
    )
    stop_paid = models.BooleanField(_("stops when it is paid in full"), default=False)
    stop_held = models.BooleanField(_("stops when the subject is on hold"), default=False)
    stop_events = ArrayField(
        models.CharField(max_length=80), default=list, blank=True, verbose_name=_("stops when this happens")
    )
    stop_matching = models.CharField(
        _("whose events count"), max_length=10, choices=Matching, default=Matching.SUBJECT
    )
    stop_reacted = models.BooleanField(_("stops when a message was read or clicked"), default=False)
    # [{"kind": "open_case"}, {"kind": "event_within", "name": "order_placed", "hours": 24}, …]: kinds of the
    # registry reminders.registry.skip_conditions; a step for which one holds is left out, the next goes on.
    skips = models.JSONField(_("left out when"), default=list, blank=True)

    grace_hours = models.PositiveSmallIntegerField(
        _("grace, hours"), default=12, help_text=_("Later than this it is skipped and not sent.")
    )
    # The customer's clock; a step that falls outside moves into it. Empty: any time that the policy allows.
    send_from = models.TimeField(_("not before"), null=True, blank=True)
    send_until = models.TimeField(_("not after"), null=True, blank=True)
    urgent = models.BooleanField(_("also in quiet hours"), default=False)
    working_days = models.BooleanField(_("on working days only"), default=False)
    calendar = models.ForeignKey(
        BusinessCalendar, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("calendar")
    )
    off_day = models.CharField(
        _("on a day off it goes to"), max_length=6, choices=OffDay, default=OffDay.AFTER
    )
    priority = models.SmallIntegerField(_("priority"), choices=Priority, default=Priority.BULK)
    max_per_customer = models.PositiveSmallIntegerField(_("at most per customer"), null=True, blank=True)
    max_days = models.PositiveSmallIntegerField(_("within days"), default=30)
    subject_gap_hours = models.PositiveSmallIntegerField(_("hours between two"), null=True, blank=True)
    subject_max = models.PositiveSmallIntegerField(_("at most per subject"), null=True, blank=True)

    goal_states = ArrayField(
        models.CharField(max_length=12, choices=Order.State),
        default=list,
        blank=True,
        verbose_name=_("done when the order is"),
    )
    goal_paid = models.BooleanField(_("done when it is paid in full"), default=False)
    goal_events = ArrayField(
        models.CharField(max_length=80), default=list, blank=True, verbose_name=_("done when this happens")
    )
    goal_days = models.PositiveSmallIntegerField(_("counted for days"), default=7)
    holdout = models.PositiveSmallIntegerField(
        _("holdout, percent"), default=0, validators=[MaxValueValidator(50)]
    )

    class Meta:
        verbose_name = _("version of a rule")
        verbose_name_plural = _("versions of rules")
        ordering = ["rule", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "number"], name="reminders_version_once"),
            models.CheckConstraint(
                name="reminders_version_start_said",
                condition=Q(start="event", event_name__gt="")
                | Q(start__in=["order", "customer"], event_name="", date_field__gt=""),
            ),
            models.CheckConstraint(
                name="reminders_version_hours_both",
                condition=Q(send_from=None, send_until=None)
                | Q(send_from__isnull=False, send_until__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule} v{self.number}"
