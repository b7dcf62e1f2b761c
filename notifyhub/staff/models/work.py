"""Long work, notices to staff, and the heartbeats of the machinery."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from notifyhub.core.flow import Flow
from notifyhub.staff.models.people import User


class Job(models.Model):
    """Work of more than a second: progress while it runs, a result or a file when it ends."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    FLOW = Flow(
        {
            State.WAITING: frozenset({State.RUNNING, State.CANCELLED}),
            State.RUNNING: frozenset({State.DONE, State.FAILED, State.CANCELLED}),
        }
    )

    kind = models.CharField(_("kind"), max_length=40)
    title = models.CharField(_("title"), max_length=200)
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.WAITING)
    done = models.BigIntegerField(_("done"), default=0)
    total = models.BigIntegerField(_("total"), null=True)
    payload = models.JSONField(_("request"), default=dict)
    result = models.JSONField(_("result"), default=dict)
    error = models.TextField(_("what went wrong"), blank=True)
    result_file = models.CharField(_("result file"), max_length=200, blank=True)
    result_name = models.CharField(_("file name"), max_length=120, blank=True)
    url = models.CharField(_("page"), max_length=200, blank=True)
    # The language of whoever started it: errors and results are written while nobody looks.
    language = models.CharField(_("language"), max_length=10, blank=True)
    # Raised by each process that takes the job; a process that lost it can no longer write to it.
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=0)
    started_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="jobs", verbose_name=_("started by")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    started_at = models.DateTimeField(_("started at"), null=True)
    beat_at = models.DateTimeField(_("last sign of life"), null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ["-id"]
        indexes = [
            # For the tick that restarts jobs whose process died.
            models.Index(
                fields=["state", "beat_at"],
                name="staff_job_open",
                condition=models.Q(state__in=["waiting", "running"]),
            )
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_open(self) -> bool:
        """Whether it still waits or runs."""
        return self.state in (self.State.WAITING, self.State.RUNNING)

    @property
    def percent(self) -> int | None:
        """How far it is, 0 to 100; None while the total is unknown."""
        if self.state == self.State.DONE:
            return 100
        return min(100, self.done * 100 // self.total) if self.total else None


class StaffNotice(models.Model):
    """A line behind the bell of one member of staff."""

    class Level(models.TextChoices):
        INFO = "info", _("Information")
        SUCCESS = "success", _("Success")
        WARNING = "warning", _("Warning")
        ALARM = "alarm", _("Alarm")

    recipient = models.ForeignKey(User, models.CASCADE, related_name="notices", verbose_name=_("recipient"))
    level = models.CharField(_("level"), max_length=10, choices=Level, default=Level.INFO)
    title = models.CharField(_("title"), max_length=200)
    body = models.TextField(_("text"), blank=True)
    url = models.CharField(_("page"), max_length=200, blank=True)
    # The same alarm is told once while it is unread.
    dedup = models.CharField(_("alarm key"), max_length=120, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    read_at = models.DateTimeField(_("read at"), null=True)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        ordering = ["-id"]
        indexes = [
            # For the bell.
            models.Index(
                fields=["recipient", "-id"], name="staff_notice_unread", condition=models.Q(read_at=None)
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["recipient", "dedup"],
                condition=models.Q(read_at=None) & ~models.Q(dedup=""),
                name="staff_notice_told_once",
            )
        ]

    def __str__(self) -> str:
        return self.title


class TickLease(models.Model):
    """Who runs a tick now, and how its last run went. A row, never a session lock: it survives poolers."""

    name = models.CharField(_("tick"), max_length=60, primary_key=True)
    owner = models.CharField(_("owner"), max_length=80, blank=True)
    until = models.DateTimeField(_("leased until"), null=True)
    started_at = models.DateTimeField(_("last started"), null=True)
    finished_at = models.DateTimeField(_("last finished"), null=True)
    took_ms = models.PositiveIntegerField(_("took, ms"), default=0)
    did = models.BigIntegerField(_("did"), default=0)
    error = models.TextField(_("error"), blank=True)

    class Meta:
        verbose_name = _("tick")
        verbose_name_plural = _("ticks")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class NodeBeat(models.Model):
    """The last sign of life of one process: beat, a worker node, or the canary's round trip."""

    name = models.CharField(_("process"), max_length=120, primary_key=True)
    kind = models.CharField(_("kind"), max_length=20)
    queues = models.CharField(_("queues"), max_length=120, blank=True)
    at = models.DateTimeField(_("seen"))
    detail = models.JSONField(_("detail"), default=dict)

    class Meta:
        verbose_name = _("process")
        verbose_name_plural = _("processes")
        ordering = ["kind", "name"]

    def __str__(self) -> str:
        return self.name
