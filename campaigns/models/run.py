"""One execution of a campaign, and its counts minute by minute."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaign import Campaign
from notifyhub.core.flow import Flow
from notifyhub.messaging.models import Dispatch
from notifyhub.staff.models import User


class RunQuerySet(models.QuerySet["Run"]):
    """Questions about runs."""

    def open(self) -> "RunQuerySet":
        """Return the runs that may still send."""
        return self.filter(state__in=Run.OPEN)


class Run(models.Model):
    """One sending of a campaign. Its state follows the dispatch's; `counts` is what was true at its end."""

    class State(models.TextChoices):
        SCHEDULED = "scheduled", _("Scheduled")
        RUNNING = "running", _("Sending")
        PAUSED = "paused", _("Paused")
        FINISHED = "finished", _("Finished")
        CANCELLED = "cancelled", _("Cancelled")

    OPEN = (State.SCHEDULED, State.RUNNING, State.PAUSED)

    # The dispatch decides and may be several steps ahead when the tick looks, hence the short cuts.
    FLOW = Flow(
        {
            State.SCHEDULED: frozenset({State.RUNNING, State.PAUSED, State.FINISHED, State.CANCELLED}),
            State.RUNNING: frozenset({State.PAUSED, State.FINISHED, State.CANCELLED}),
            State.PAUSED: frozenset({State.RUNNING, State.FINISHED, State.CANCELLED}),
            State.FINISHED: frozenset(),
            State.CANCELLED: frozenset(),
        }
    )

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="runs", verbose_name=_("campaign"))
    number = models.PositiveIntegerField(_("number"))
    dispatch = models.OneToOneField(Dispatch, models.PROTECT, related_name="+", verbose_name=_("dispatch"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.SCHEDULED)
    expected = models.BigIntegerField(
        _("expected"), help_text=_("How many the pre-flight said would be sent, at the launch.")
    )
    launched_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("launched by")
    )
    launched_at = models.DateTimeField(_("launched at"))
    finished_at = models.DateTimeField(_("finished at"), null=True)
    counts = models.JSONField(_("counts at the end"), default=dict)

    objects = RunQuerySet.as_manager()

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ["-id"]
        indexes = [
            # For the tick, the badge and the dashboard.
            models.Index(
                fields=["state"],
                name="campaigns_run_open",
                condition=Q(state__in=["scheduled", "running", "paused"]),
            ),
            models.Index(fields=["-launched_at"], name="campaigns_run_launched"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="campaigns_run_once"),
            models.CheckConstraint(
                name="campaigns_run_ended_iff_finished_at",
                condition=Q(state__in=["finished", "cancelled"], finished_at__isnull=False)
                | Q(state__in=["scheduled", "running", "paused"], finished_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign} · {self.number}"

    @property
    def is_open(self) -> bool:
        """Say whether this run may still send."""
        return self.state in self.OPEN


class RunMinute(models.Model):
    """The dispatch's counters as they stood at the end of one minute; the chart draws the differences.

    Written by the tick, so that no page has to count the ledger.
    """

    run = models.ForeignKey(Run, models.CASCADE, related_name="minutes", verbose_name=_("run"))
    minute = models.DateTimeField(_("minute"))
    sent = models.BigIntegerField(_("handed over"), default=0)
    delivered = models.BigIntegerField(_("delivered"), default=0)
    failed = models.BigIntegerField(_("failed"), default=0)

    class Meta:
        verbose_name = _("minute of a run")
        verbose_name_plural = _("minutes of runs")
        ordering = ["minute"]
        constraints = [models.UniqueConstraint(fields=["run", "minute"], name="campaigns_runminute_once")]

    def __str__(self) -> str:
        return f"{self.run_id} {self.minute:%H:%M}"
