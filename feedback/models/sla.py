"""Promises about time: what is promised, and one clock row per promise made to one case."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from feedback.models.case import Case
from feedback.models.category import Severity


class SlaPolicy(models.Model):
    """The targets of one severity, in minutes, round the clock.

    A clock keeps the target it started with, so that changing a policy moves no deadline of the past.
    """

    severity = models.CharField(_("severity"), max_length=2, choices=Severity, unique=True)
    ack_minutes = models.PositiveIntegerField(_("acknowledge within, minutes"))
    first_reply_minutes = models.PositiveIntegerField(_("first reply within, minutes"))
    resolve_minutes = models.PositiveIntegerField(_("resolve within, minutes"))
    reopened_resolve_minutes = models.PositiveIntegerField(
        _("resolve within after reopening, minutes"),
        help_text=_("Shorter than the first time: the customer has waited once already."),
    )
    version = models.PositiveIntegerField(_("version"), default=1)

    class Meta:
        verbose_name = _("time limit")
        verbose_name_plural = _("time limits")
        ordering = ["severity"]
        constraints = [
            models.CheckConstraint(
                name="feedback_slapolicy_targets_positive",
                condition=Q(ack_minutes__gt=0)
                & Q(first_reply_minutes__gt=0)
                & Q(resolve_minutes__gt=0)
                & Q(reopened_resolve_minutes__gt=0),
            )
        ]

    def __str__(self) -> str:
        return self.get_severity_display()


class Metric(models.TextChoices):
    ACK = "ack", _("Acknowledge")
    FIRST_REPLY = "first_reply", _("First reply")
    NEXT_REPLY = "next_reply", _("Next reply")
    RESOLVE = "resolve", _("Resolve")


class SlaClock(models.Model):
    """One promise to one case in one cycle.

    Met or breached is decided by when the awaited thing happened (`stopped_at` against `due_at`), never by
    when somebody looked. The sweep marks a clock breached whose time is up while nothing has happened yet;
    it then has no `stopped_at` until it does.
    """

    class State(models.TextChoices):
        RUNNING = "running", _("Running")
        PAUSED = "paused", _("Paused")
        MET = "met", _("Met")
        BREACHED = "breached", _("Late")
        CANCELLED = "cancelled", _("Cancelled")

    case = models.ForeignKey(Case, models.CASCADE, related_name="clocks", verbose_name=_("case"))
    metric = models.CharField(_("metric"), max_length=12, choices=Metric)
    cycle = models.PositiveSmallIntegerField(_("cycle"), default=1)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.RUNNING)
    started_at = models.DateTimeField(_("started at"))
    target_seconds = models.PositiveIntegerField(_("target, seconds"))
    accrued_seconds = models.PositiveIntegerField(_("used before the last pause, seconds"), default=0)
    running_since = models.DateTimeField(_("running since"), null=True)
    due_at = models.DateTimeField(_("due at"), null=True)
    warn_at = models.DateTimeField(_("warn at"), null=True)
    breached_at = models.DateTimeField(_("late since"), null=True)
    stopped_at = models.DateTimeField(_("stopped at"), null=True)

    class Meta:
        verbose_name = _("clock")
        verbose_name_plural = _("clocks")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["case", "metric", "cycle"], name="feedback_clock_once"),
            models.CheckConstraint(
                name="feedback_clock_running_has_due",
                condition=~Q(state="running")
                | Q(due_at__isnull=False, running_since__isnull=False, stopped_at=None, breached_at=None),
            ),
            models.CheckConstraint(
                name="feedback_clock_paused_has_no_due",
                condition=~Q(state="paused") | Q(due_at=None, running_since=None, stopped_at=None),
            ),
            models.CheckConstraint(
                name="feedback_clock_met_in_time",
                condition=~Q(state="met")
                | Q(stopped_at__isnull=False, stopped_at__lte=F("due_at"), breached_at=None),
            ),
            models.CheckConstraint(
                name="feedback_clock_breached_has_time",
                condition=~Q(state="breached") | Q(breached_at__isnull=False),
            ),
        ]
        indexes = [
            # For the sweep.
            models.Index(fields=["due_at"], name="feedback_clock_running", condition=Q(state="running")),
            # For the warning before: emptied once told.
            models.Index(
                fields=["warn_at"],
                name="feedback_clock_warn",
                condition=Q(state="running", warn_at__isnull=False),
            ),
            # For the first-reply median of the day.
            models.Index(
                fields=["metric", "stopped_at"],
                name="feedback_clock_stopped",
                condition=Q(stopped_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_metric_display()} · {self.get_state_display()}"
