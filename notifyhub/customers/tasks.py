"""What the workers do for the customers app."""

from celery import shared_task

from notifyhub.customers.services.watch.following import watch_at_once


@shared_task
def watch_at_once_task(events: dict[str, list[int]]) -> None:
    """Look at events that just came in; lost or doubled, it changes nothing."""
    watch_at_once(events=events)
