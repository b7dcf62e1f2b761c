"""Moving what is planned already to hours that changed: a few batches with the change, many by a job."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from notifyhub.messaging.engine.retime import CHUNK, count_open, retime
from notifyhub.staff.context import current_actor
from notifyhub.staff.models import Job, User
from notifyhub.staff.services.jobs import register_runner, report_progress, start_job

JOB = "move_planned"
# Nobody should wait at a form for more than a second or two.
AT_ONCE = 2 * CHUNK


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """So many planned batches moved with the change; or a job moves them, of which `open` are looked at."""

    moved: int = 0
    open: int = 0
    job: Job | None = None


def move_planned(*, classes: Collection[str], channels: Collection[str]) -> Outcome:
    """Move the planned batches of these classes on these channels to the hours of now; return what was moved.

    To be called in the transaction that changes the hours.
    """
    waiting = count_open(classes=classes, channels=channels)
    if waiting > AT_ONCE:
        actor = current_actor()
        job = start_job(
            kind=JOB,
            title=_("Move planned messages to the new hours"),
            payload={"classes": sorted(classes), "channels": sorted(channels)},
            user=User.objects.filter(pk=actor.id or 0).first() if actor.kind == "staff" else None,
            total=waiting,
        )
        return Outcome(open=waiting, job=job)
    return Outcome(moved=_move_all(classes, channels), open=waiting)


def _move_all(classes: Collection[str], channels: Collection[str], job: Job | None = None) -> int:
    moved, looked, after = 0, 0, 0
    while True:
        step = retime(classes=classes, channels=channels, after=after)
        moved += step.batches
        if step.last is None:
            return moved
        after, looked = step.last, looked + CHUNK
        if job is not None:
            report_progress(job, done=min(looked, job.total or looked), total=job.total)


def run_job(job: Job) -> dict[str, Any]:
    """Move them, as a job that shows how far it is; what has moved is not moved again."""
    moved = _move_all(job.payload["classes"], job.payload["channels"], job)
    return {"batches_moved": moved}


def register() -> None:
    """Let the workers do the job."""
    register_runner(JOB, run_job)
