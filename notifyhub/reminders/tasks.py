"""The doorbell of the quick road: ids only, and what it does may be asked for twice."""

from celery import shared_task

from notifyhub.reminders.services.following.realtime import AT_ONCE, begin_at_once


@shared_task(name=AT_ONCE)
def begin_at_once_task(name: str, ids: list[int]) -> None:
    """Begin what the events of that name start, and hand over what goes at once."""
    begin_at_once(name=name, ids=ids)
