"""What the workers do for the staff app."""

from celery import shared_task

from notifyhub.staff.services.heartbeats import BEAT, receive_canary, stamp
from notifyhub.staff.services.jobs import run_job
from notifyhub.staff.services.ticks import run_due_ticks


@shared_task
def run_job_task(job_id: int) -> None:
    """Run one job; a second bell for it changes nothing."""
    run_job(job_id=job_id)


@shared_task
def run_ticks_task() -> None:
    """Run what is due. Only beat rings this, so its arrival is beat's sign of life."""
    stamp(name=BEAT, kind=BEAT)
    run_due_ticks()


@shared_task
def canary_task(queue: str, sent_at: str) -> None:
    """Stamp that a task came through this queue."""
    receive_canary(queue=queue, sent_at=sent_at)
