"""The staff app's own ticks."""

from django.utils.translation import gettext_lazy as _

from notifyhub.core.registry import Tick, ticks
from notifyhub.staff.services.api_keys import forget_usage
from notifyhub.staff.services.heartbeats import CANARY_EVERY, send_canaries
from notifyhub.staff.services.idempotency import forget_answers
from notifyhub.staff.services.jobs import revive_jobs, tidy_job_files
from notifyhub.staff.services.sealing import seal_entries, seal_stragglers


def register() -> None:
    """Hand the staff app's ticks to the registry."""
    ticks.register("revive_jobs", Tick(run=revive_jobs, every_seconds=15, label=_("Take over stalled jobs")))
    ticks.register("seal_audit", Tick(run=seal_entries, every_seconds=5, label=_("Seal the audit trail")))
    ticks.register(
        "seal_audit_stragglers",
        Tick(run=seal_stragglers, every_seconds=3600, label=_("Seal late audit entries")),
    )
    ticks.register(
        "canary", Tick(run=send_canaries, every_seconds=CANARY_EVERY, label=_("Canary through each queue"))
    )
    ticks.register(
        "tidy_job_files", Tick(run=tidy_job_files, every_seconds=3600, label=_("Delete old result files"))
    )
    ticks.register(
        "forget_usage", Tick(run=forget_usage, every_seconds=3600, label=_("Forget old API counts"))
    )
    ticks.register(
        "forget_answers", Tick(run=forget_answers, every_seconds=3600, label=_("Forget old API answers"))
    )
