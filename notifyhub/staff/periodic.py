"""The staff app's own ticks."""

from django.utils.translation import gettext_lazy as _

from notifyhub.core.registry import Tick, ticks
from notifyhub.staff.services.heartbeats import send_canaries
from notifyhub.staff.services.jobs import revive_jobs, tidy_job_files


def register() -> None:
    """Hand the staff app's ticks to the registry."""
    ticks.register("revive_jobs", Tick(run=revive_jobs, every_seconds=15, label=_("Take over stalled jobs")))
    ticks.register("canary", Tick(run=send_canaries, every_seconds=30, label=_("Canary through each queue")))
    ticks.register(
        "tidy_job_files", Tick(run=tidy_job_files, every_seconds=3600, label=_("Delete old result files"))
    )
