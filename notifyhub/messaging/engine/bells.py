"""Ringing the workers by the names of their tasks: planning and services stand below the tasks."""

from celery import current_app

from notifyhub.core.doorbell import ring
from notifyhub.messaging.models.dispatch import Priority

PLAN = "messaging.plan_dispatch"
REALTIME = "messaging.drain_realtime"
BULK = "messaging.drain_bulk"


def ring_for(priority: int) -> None:
    """Wake a worker of that class after the commit under way."""
    if priority == Priority.REALTIME:
        ring(current_app.signature(REALTIME), queue="realtime")
    else:
        ring(current_app.signature(BULK), queue="bulk")


def ring_planner(dispatch_id: int) -> None:
    """Have the dispatch planned after the commit under way."""
    ring(current_app.signature(PLAN), dispatch_id, queue="bulk")
