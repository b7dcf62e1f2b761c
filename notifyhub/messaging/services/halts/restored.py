"""After a restore: what was due before it may have gone out from the lost database, so a person decides."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.messaging.engine.endings import end_batch
from notifyhub.messaging.engine.lease import LeasedBatch
from notifyhub.messaging.models import Dispatch, Halt
from notifyhub.messaging.services.dispatches import cancel_dispatch
from notifyhub.messaging.services.halts.orders import lift_halt
from notifyhub.messaging.signals import overdue_cancelled
from notifyhub.staff.models import Job, User
from notifyhub.staff.services import audit
from notifyhub.staff.services.jobs import register_runner, report_progress, start_job

JOB = "cancel_overdue"
LEASE_SECONDS = 60

_COUNT = """
SELECT coalesce(sum(CASE WHEN b.ids IS NULL THEN b.hi - b.cursor ELSE cardinality(b.ids) END), 0)::bigint
FROM messaging_batch b JOIN messaging_dispatch j ON j.id = b.dispatch_id
WHERE b.state = 0 AND b.not_before < %s AND j.state NOT IN ('finished', 'cancelled', 'cancelling')
"""

_TAKE = """
UPDATE messaging_batch t SET state = 1, epoch = t.epoch + 1, owner = %(owner)s,
    lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
FROM (
    SELECT b.id FROM messaging_batch b JOIN messaging_dispatch j ON j.id = b.dispatch_id
    WHERE b.state = 0 AND b.not_before < %(before)s AND j.state NOT IN ('finished', 'cancelled')
    ORDER BY b.id LIMIT 1 FOR UPDATE OF b SKIP LOCKED
) pick WHERE t.id = pick.id
RETURNING t.id, t.dispatch_id, t.channel, t.step, t.lo, t.hi, t.ids, t.cursor, t.epoch, t.tries
"""


def _in_force() -> Halt:
    halt = Halt.objects.filter(scope=Halt.Scope.RESTORED, lifted_at=None).first()
    if halt is None:
        raise Refused(_("Nothing is held back any more: somebody decided already."), code="state")
    return halt


def held_before() -> datetime | None:
    """Return the moment of the restore while what was due before it is held back, else None."""
    rows = Halt.objects.filter(scope=Halt.Scope.RESTORED, lifted_at=None)
    return rows.values_list("placed_at", flat=True).first()


def count_overdue(*, before: datetime) -> int:
    """Return how many planned messages were due before that moment and wait."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [before])
        return int(cursor.fetchone()[0])


@transaction.atomic
def release_overdue() -> int:
    """Send what was overdue when the database was restored; return how many messages that is."""
    halt = _in_force()
    overdue = count_overdue(before=halt.placed_at)
    lift_halt(halt_id=halt.pk)
    audit.record(verb="release_overdue", obj=halt, messages=overdue)
    return overdue


@transaction.atomic
def start_cancelling_overdue(*, user: User | None) -> Job:
    """Start the job that cancels what was overdue; return it. Refused when nothing is held back."""
    halt = _in_force()
    open_jobs = Job.objects.filter(kind=JOB, state__in=(Job.State.WAITING, Job.State.RUNNING))
    if open_jobs.exists():
        raise Refused(_("It is being cancelled already."), code="state")
    overdue = count_overdue(before=halt.placed_at)
    audit.record(verb="cancel_overdue", obj=halt, messages=overdue)
    return start_job(
        kind=JOB, title=_("Cancel what was overdue at the restore"), user=user, total=overdue or None
    )


def cancel_overdue(*, tell: Callable[[int], object] | None = None) -> int:
    """Settle as cancelled every message that was overdue at the restore, then lift its halt; return how many.

    Goes batch by batch under a lease of its own, so it can be interrupted and repeated; `tell` hears how
    many are done so far.
    """
    halt = _in_force()
    before = halt.placed_at
    unplanned = Dispatch.objects.filter(
        state__in=(Dispatch.State.PLANNING, Dispatch.State.SCHEDULED), send_at__lt=before
    )
    for dispatch_id in list(unplanned.values_list("pk", flat=True)):
        cancel_dispatch(dispatch_id=dispatch_id, reason=_("Overdue when the database was restored"))
    done = 0
    while (ended := _cancel_one(before)) is not None:
        done += ended
        if tell is not None:
            tell(done)
    overdue_cancelled.send(sender=None, before=before)
    lift_halt(halt_id=halt.pk)
    return done


@transaction.atomic
def _cancel_one(before: datetime) -> int | None:
    values: dict[str, Any] = {"before": before, "owner": "restored", "seconds": LEASE_SECONDS}
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, values)
        row = cursor.fetchone()
        if row is None:
            return None
        names = [column[0] for column in cursor.description]
    return end_batch(LeasedBatch(**dict(zip(names, row, strict=True))), cancelled=True, worker="restored")


def run_job(job: Job) -> dict[str, Any]:
    """Cancel what was overdue, as a job that shows how far it is."""
    total = job.total
    return {"cancelled": cancel_overdue(tell=lambda done: report_progress(job, done=done, total=total))}


def register() -> None:
    """Let the workers do the job."""
    register_runner(JOB, run_job)
