"""Steering a run, and keeping its row in step with the dispatch."""

from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.models import Run
from campaigns.services.launching import CONFIRM_ABOVE
from notifyhub.core.errors import Refused
from notifyhub.messaging.models import Dispatch
from notifyhub.messaging.services import dispatches
from notifyhub.messaging.services.dispatches import Progress
from notifyhub.staff.services import audit

State = Dispatch.State
# Planning counts as sending for whoever looks; while the rest is being cancelled the run stays as it was.
MIRROR = {
    State.SCHEDULED: Run.State.SCHEDULED,
    State.PLANNING: Run.State.RUNNING,
    State.RUNNING: Run.State.RUNNING,
    State.PAUSED: Run.State.PAUSED,
    State.CANCELLED: Run.State.CANCELLED,
    State.FINISHED: Run.State.FINISHED,
}
MESSAGES = ("planned", "sent", "delivered", "failed", "skipped", "unknown", "expired", "cancelled", "open")
PEOPLE = ("people", "reached", "not_reached", "people_open")


def progress_of(run: Run) -> Progress:
    """Return how far the run is, from the ledger's counters."""
    return dispatches.progress(dispatch_id=run.dispatch_id)


@transaction.atomic
def pause_run(*, run_id: int, reason: str = "") -> Run:
    """Pause the sending and return the run; Refused if it cannot be paused now."""
    run = _locked(run_id)
    reason = " ".join(reason.split())[:200] or _("Paused by hand")
    dispatches.pause_dispatch(dispatch_id=run.dispatch_id, reason=reason)
    audit.record(verb="pause_campaign", obj=run.campaign, key=run.campaign.key, reason=reason)
    return _mirrored(run)


@transaction.atomic
def resume_run(*, run_id: int) -> Run:
    """Go on sending and return the run; Refused if it is not paused."""
    run = _locked(run_id)
    dispatches.resume_dispatch(dispatch_id=run.dispatch_id)
    audit.record(verb="resume_campaign", obj=run.campaign, key=run.campaign.key)
    return _mirrored(run)


@transaction.atomic
def cancel_run(*, run_id: int, confirmed: int | None = None, reason: str = "") -> Run:
    """Cancel what has not been sent and return the run.

    `confirmed` is the number that was left when the person decided; above 1,000 it is required. Sending
    went on meanwhile, so fewer may be left now, never more. Raises Refused otherwise.
    """
    run = _locked(run_id)
    rest = rest_of(run, progress_of(run))
    if (confirmed is None and rest > CONFIRM_ABOVE) or (confirmed is not None and confirmed < rest):
        raise Refused(
            _("%(rest)s messages have not been sent. Type that number to cancel them.")
            % {"rest": f"{rest:,}"},
            field="confirmed",
            code="confirm",
        )
    dispatches.cancel_dispatch(dispatch_id=run.dispatch_id, reason=reason[:200])
    audit.record(
        verb="cancel_campaign", obj=run.campaign, key=run.campaign.key, reason=reason[:200], rest=rest
    )
    return _mirrored(run)


def rest_of(run: Run, progress: Progress) -> int:
    """Return how many are not settled yet; before planning, how many the pre-flight promised."""
    if run.dispatch.state in (State.SCHEDULED, State.PLANNING):
        return max(progress.open, run.expected)
    return progress.open


def _locked(run_id: int) -> Run:
    run = Run.objects.select_for_update(of=("self",)).select_related("campaign", "dispatch").get(pk=run_id)
    if not run.is_open:
        raise Refused(_("This run has ended; nothing is left to steer."))
    return run


def _mirrored(run: Run) -> Run:
    mirror_run(run_id=run.pk)
    return Run.objects.select_related("campaign", "dispatch").get(pk=run.pk)


def mirror_run(*, run_id: int) -> bool:
    """Bring one run in step with its dispatch; return whether it moved."""
    run = Run.objects.select_related("dispatch").get(pk=run_id)
    to = MIRROR.get(State(run.dispatch.state))
    if to is None or to == run.state:
        return False
    changes: dict[str, Any] = {}
    if to not in Run.OPEN:
        progress = progress_of(run)
        changes["finished_at"] = run.dispatch.finished_at or timezone.now()
        changes["counts"] = {name: getattr(progress, name) for name in (*MESSAGES, *PEOPLE)} | {
            "by_reason": progress.by_reason
        }
    return bool(Run.FLOW.advance(Run.objects.filter(pk=run_id), to=to, **changes))


def mirror_runs() -> int:
    """Bring open runs in step with their dispatches and note this minute's counts; return how many moved.

    One query finds the runs that differ, so a quiet tick costs two statements.
    """
    note_minute()
    # An open run whose dispatch stands still is not read at all.
    differing = [
        pk
        for pk, state, dispatch_state in Run.objects.open().values_list("pk", "state", "dispatch__state")
        if MIRROR.get(State(dispatch_state), state) != state
    ]
    return sum(mirror_run(run_id=pk) for pk in differing)


def note_minute() -> int:
    """Write the counters of all sending runs under the current minute; return how many rows were written."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO campaigns_runminute (run_id, minute, sent, delivered, failed)
            SELECT r.id, date_trunc('minute', now()), d.sent, d.delivered, d.failed
            FROM campaigns_run r JOIN messaging_dispatch d ON d.id = r.dispatch_id
            WHERE r.state IN ('scheduled', 'running', 'paused') AND d.state <> 'scheduled'
            ON CONFLICT (run_id, minute) DO UPDATE
                SET sent = excluded.sent, delivered = excluded.delivered, failed = excluded.failed
            """
        )
        return cursor.rowcount
