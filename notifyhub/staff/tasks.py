"""What the housekeeping workers do for the staff app."""

from celery import shared_task

from notifyhub.staff.services.jobs import run_job


@shared_task
def run_job_task(job_id: int) -> None:
    """Run one job; a second bell for it changes nothing."""
    run_job(job_id=job_id)
