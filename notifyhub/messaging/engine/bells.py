"""Ringing the workers by the names of their tasks: planning and services stand below the tasks."""

from typing import Any

from celery import current_app

from notifyhub.core.doorbell import ring
from notifyhub.messaging.models.dispatch import Priority

PLAN = "messaging.plan_dispatch"
REALTIME = "messaging.drain_realtime"
BULK = "messaging.drain_bulk"
MATCH = "messaging.match_receipts"
REPLIES = "messaging.take_replies"


def ring_for(priority: int, *, expires: int | None = None) -> None:
    """Wake a worker of that class after the commit under way.

    A ring that is repeated anyway `expires` after some seconds, so that none pile up behind busy workers.
    """
    name, queue = (REALTIME, "realtime") if priority == Priority.REALTIME else (BULK, "bulk")
    signature = current_app.signature(name)
    ring(signature.set(expires=expires) if expires else signature, queue=queue)


def ring_matcher() -> None:
    """Have the receipts that came in matched after the commit under way."""
    ring(current_app.signature(MATCH), queue="housekeeping")


def ring_for_replies() -> None:
    """Have the replies that came in worked on after the commit under way."""
    ring(current_app.signature(REPLIES), queue="housekeeping")


def planning_queue(priority: int, audience: dict[str, Any]) -> str:
    """Return the queue of the workers that plan such a dispatch.

    A realtime one that names its recipients must not wait behind bulk. A rule over all customers takes its
    time whatever its class, and no login code shall wait for that.
    """
    named = audience.get("kind") == "items"
    return "realtime" if priority == Priority.REALTIME and named else "bulk"


def ring_planner(dispatch_id: int, *, queue: str) -> None:
    """Have the dispatch planned after the commit under way, by the workers of `queue`."""
    ring(current_app.signature(PLAN), dispatch_id, queue=queue)
