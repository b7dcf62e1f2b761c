"""Long work: started by a person, run by the housekeeping workers, taken over when a process dies.

A runner may be run again from its start after its process died, so it must be safe to repeat. The
attempt number is its fence: a process that lost the job finds out at its next sign of progress.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from celery import current_app
from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce, Now
from django.utils import translation
from django.utils.translation import gettext as _

from notifyhub.core.doorbell import ring
from notifyhub.core.errors import Refused
from notifyhub.core.registry import Registry
from notifyhub.staff.context import SYSTEM, Actor, acting
from notifyhub.staff.models import Job, User
from notifyhub.staff.services import audit
from notifyhub.staff.services.alive import kept_alive
from notifyhub.staff.services.notices import notify

logger = logging.getLogger(__name__)

RUN_TASK = "notifyhub.staff.tasks.run_job_task"
MAX_ATTEMPTS = 3
# A bell that was not heard for this long is rung again.
UNHEARD = timedelta(seconds=30)
# Whoever waited longer than this for a job has looked away, and is told by the bell that it ended.
LOOKED_AWAY = timedelta(seconds=10)
KEEP_FILES = timedelta(days=7)

runners: Registry[Callable[[Job], Any]] = Registry()


class JobTaken(Exception):
    """The job was cancelled, or another process has taken it over; stop working on it."""


def register_runner(kind: str, run: Callable[[Job], Any]) -> None:
    """Let `run(job)` do the jobs of this kind; it is safe to repeat and reports its progress."""
    runners.register(kind, run)


def start_job(
    *,
    kind: str,
    title: Any,
    payload: dict[str, Any] | None = None,
    user: User | None = None,
    total: int | None = None,
    url: str = "",
) -> Job:
    """Create a waiting job and ring the workers after commit; return it.

    `payload` holds JSON values without personal data.
    """
    job = Job.objects.create(
        kind=kind,
        title=str(title)[:200],
        payload=payload or {},
        started_by=user,
        total=total,
        url=url,
        language=translation.get_language() or settings.LANGUAGE_CODE,
    )
    ring_job(job.pk)
    return job


def ring_job(job_id: int) -> None:
    """Ask the housekeeping workers to run the job; harmless when it already runs."""
    ring(current_app.signature(RUN_TASK), job_id, queue="housekeeping")


def _stale() -> Q:
    return Q(state=Job.State.RUNNING, beat_at__lt=Now() - timedelta(seconds=settings.LEASE_SECONDS))


def _held(job: Job) -> QuerySet[Job]:
    return Job.objects.filter(pk=job.pk, attempt=job.attempt, state=Job.State.RUNNING)


def run_job(*, job_id: int) -> bool:
    """Run the job if nobody else does; return whether it was run.

    A `Refused` of the runner ends it as failed with that sentence, anything else with a general one.
    """
    free = Job.objects.filter(pk=job_id, attempt__lt=MAX_ATTEMPTS).filter(
        Q(state=Job.State.WAITING) | _stale()
    )
    taken = free.update(
        state=Job.State.RUNNING,
        attempt=F("attempt") + 1,
        beat_at=Now(),
        started_at=Coalesce("started_at", Now()),
    )
    if not taken:
        return False
    job = Job.objects.select_related("started_by").get(pk=job_id)
    beat = partial(_held(job).update, beat_at=Now())
    with (
        acting(_actor_of(job)),
        translation.override(job.language or settings.LANGUAGE_CODE),
        kept_alive(beat, every=settings.LEASE_SECONDS / 4),
    ):
        _run(job)
    return True


def _actor_of(job: Job) -> Actor:
    user = job.started_by
    return Actor(kind="staff", id=user.pk, name=str(user)) if user else SYSTEM


def _run(job: Job) -> None:
    run = runners.get(job.kind)
    try:
        if run is None:
            raise Refused(_("This version cannot do jobs of the kind “%(kind)s”.") % {"kind": job.kind})
        run(job)
    except JobTaken:
        logger.info("Job %s was taken away from this process.", job.pk)
    except Refused as refusal:
        _end(job, Job.State.FAILED, error=str(refusal))
    except Exception:
        logger.exception("Job %s failed.", job.pk)
        _end(job, Job.State.FAILED, error=_("It stopped unexpectedly. Start it again, or ask operations."))
    else:
        _end(job, Job.State.DONE)


def report_progress(job: Job, *, done: int, total: int | None = None) -> None:
    """Write how far the job is, which is a sign of life too; raise JobTaken if it is no longer ours."""
    changes: dict[str, Any] = {"done": done, "beat_at": Now()}
    if total is not None:
        changes["total"] = job.total = total
    if not _held(job).update(**changes):
        raise JobTaken
    job.done = done


def finish_job(
    job: Job,
    *,
    result: dict[str, Any] | None = None,
    result_file: str | Path = "",
    result_name: str = "",
) -> None:
    """End the job as done, with JSON facts to show and a file below the data folder to fetch."""
    changes: dict[str, Any] = {"result": result or {}, "result_name": result_name[:120]}
    if result_file:
        path = Path(result_file).resolve()
        changes["result_file"] = str(path.relative_to(Path(settings.MEDIA_ROOT).resolve()))
    _end(job, Job.State.DONE, **changes)


def _end(job: Job, to: str, **changes: Any) -> None:
    if not Job.FLOW.advance(_held(job), to=to, finished_at=Now(), **changes):
        return
    job.refresh_from_db()
    _tell_starter(job)


def _tell_starter(job: Job) -> None:
    user = job.started_by
    if user is None or job.finished_at is None or job.finished_at - job.created_at < LOOKED_AWAY:
        return
    failed = job.state == Job.State.FAILED
    notify(
        recipients=[user],
        title=(_("Failed: %(title)s") if failed else _("Done: %(title)s")) % {"title": job.title},
        body=job.error,
        level="warning" if failed else "success",
        url=job.url or page_url(job),
    )


def page_url(job: Job) -> str:
    """Return the address of the job's own page."""
    from django.urls import reverse

    return reverse("admin:staff_job_page", args=[job.pk])


def cancel_job(*, job_id: int) -> None:
    """Stop a job that waits or runs; a running one ends at its next sign of progress."""
    job = Job.objects.get(pk=job_id)
    if not Job.FLOW.advance(Job.objects.filter(pk=job_id), to=Job.State.CANCELLED, finished_at=Now()):
        raise Refused(_("This job has already ended."))
    audit.record(verb="cancel_job", obj=job)


def result_path(job: Job, name: str) -> Path:
    """Return where the job may write a result file called `name`; the folder exists."""
    folder = Path(settings.MEDIA_ROOT) / "jobs" / str(job.pk)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def result_of(job: Job) -> Path | None:
    """Return the path of the job's result file, or None if it has none or it was tidied away."""
    if not job.result_file:
        return None
    root = Path(settings.MEDIA_ROOT).resolve()
    path = (root / job.result_file).resolve()
    return path if path.is_relative_to(root) and path.is_file() else None


def run_waiting_jobs() -> int:
    """Run every job that waits or whose process died, here and now; return how many."""
    ready = Job.objects.filter(Q(state=Job.State.WAITING) | _stale()).order_by("pk")
    return sum(run_job(job_id=pk) for pk in ready.values_list("pk", flat=True))


def revive_jobs() -> int:
    """Ring again for jobs whose bell was lost or whose process died; return how many.

    A job that took three processes down with it is failed instead.
    """
    for job in Job.objects.filter(_stale(), attempt__gte=MAX_ATTEMPTS).select_related("started_by"):
        with translation.override(job.language or settings.LANGUAGE_CODE):
            _end(job, Job.State.FAILED, error=_("Its process died three times, so it was given up."))
    unheard = Q(state=Job.State.WAITING, created_at__lt=Now() - UNHEARD)
    waiting = list(Job.objects.filter(unheard | _stale()).values_list("pk", flat=True)[:100])
    for job_id in waiting:
        ring_job(job_id)
    return len(waiting)


def tidy_job_files() -> int:
    """Delete result files of jobs that ended a week ago; return how many."""
    old = Job.objects.filter(finished_at__lt=Now() - KEEP_FILES).exclude(result_file="")
    for job in old[:500]:
        path = result_of(job)
        if path is not None:
            path.unlink(missing_ok=True)
    return old.update(result_file="")
