"""Due rows: one reminder of one customer about one subject."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from notifyhub.customers.models import Customer, Order
from notifyhub.reminders.models.rule import ReminderRule


class Reminder(models.Model):
    """One due row. Unique by rule, subject, step and occurrence, so asking twice makes nothing twice.

    `anchor_at` is the date it counts from. `occurrence` is the year for a yearly date and the day for a
    single one. For orders it is 0, so a moved booking moves its row; once the row was sent, a move by a day
    or more is another occasion and gets the next number.
    """

    class State(models.TextChoices):
        PLANNED = "planned", _("Planned")
        DISPATCHED = "dispatched", _("Handed to sending")
        STOPPED = "stopped", _("Stopped")
        SKIPPED = "skipped", _("Skipped")

    class Reason(models.TextChoices):
        ORDER_STATE = "order_state", _("The order no longer needs it")
        NO_DATE = "no_date", _("The date was taken away")
        RULE_OFF = "rule_off", _("The rule was paused or archived")
        STEP_GONE = "step_gone", _("The step was removed from the rule")
        LATE = "late", _("Too late: past its grace period")

    rule = models.ForeignKey(ReminderRule, models.PROTECT, related_name="reminders", verbose_name=_("rule"))
    step = models.PositiveSmallIntegerField(_("step"))
    customer = models.ForeignKey(
        Customer, models.CASCADE, related_name="reminders", verbose_name=_("customer")
    )
    order = models.ForeignKey(
        Order, models.CASCADE, null=True, related_name="reminders", verbose_name=_("order")
    )
    subject_ref = models.CharField(_("subject"), max_length=80)
    occurrence = models.PositiveIntegerField(_("occurrence"), default=0)
    anchor_at = models.DateTimeField(_("counted from"))
    due_at = models.DateTimeField(_("due at"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.PLANNED)
    reason = models.CharField(_("reason"), max_length=12, choices=Reason, blank=True)
    dispatch_id = models.BigIntegerField(_("dispatch"), null=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    settled_at = models.DateTimeField(_("settled at"), null=True)

    class Meta:
        verbose_name = _("due reminder")
        verbose_name_plural = _("due reminders")
        ordering = ["due_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "subject_ref", "step", "occurrence"], name="reminders_reminder_once"
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
        return self.subject_ref.rpartition(":")[2]
