"""How a job shows itself."""

from datetime import timedelta

from django import template
from django.utils import timezone

from notifyhub.staff.models import Job
from notifyhub.staff.services.jobs import result_of

register = template.Library()

_TONES = {"running": "blue", "done": "green", "failed": "red"}


@register.filter
def job_tone(job: Job) -> str:
    """Return the colour of the job's state."""
    return _TONES.get(job.state, "grey")


@register.filter
def job_elapsed(job: Job) -> timedelta | None:
    """Return how long it has run, or ran; None before it starts."""
    if job.started_at is None:
        return None
    return (job.finished_at or timezone.now()) - job.started_at


@register.filter
def job_left(job: Job) -> timedelta | None:
    """Return how long it will still take at its pace so far; None while that is a guess."""
    elapsed = job_elapsed(job)
    if not job.is_open or elapsed is None or not job.total or job.done * 50 < job.total:
        return None
    return elapsed * (job.total - min(job.done, job.total)) / job.done


@register.filter
def job_has_file(job: Job) -> bool:
    """Say whether a result file waits to be fetched."""
    return result_of(job) is not None
