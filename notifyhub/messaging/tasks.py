"""The doorbells of the engine. They carry ids, may be lost, late or doubled; the tick rings again."""

import time
from collections.abc import Callable
from typing import Any

from celery import shared_task

from notifyhub.core.doorbell import RUNG, ring
from notifyhub.messaging.engine import bells
from notifyhub.messaging.engine.child import in_child
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.engine.stopping import is_stopping
from notifyhub.messaging.engine.worker import Worker, drain_bulk, drain_realtime
from notifyhub.messaging.models import Dispatch
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.services.receipts import match_receipts
from notifyhub.messaging.services.replies import take_replies

# A task that ran for long would keep a worker from anything else, and from stopping.
DRAIN_SECONDS = 15.0
# The workers of bulk plan as well: after a second they let whoever waits for that have their process.
TURN_SECONDS = 1.0
# Ranges planned in one task, of about half a second each: between them others have their turn.
CHUNKS = {"realtime": 1, "bulk": 4}


# When this process last began to look at all that is due, by the clock that bells are rung by, and when it
# was done with that, by its own; by queue.
_looked: dict[str, tuple[float, float]] = {}
# Longer ago no bell is passed over: a clock that was put back must not make this process deaf.
DEAF_SECONDS = 5.0


def _drain(task: Any, work: Callable[[Worker], bool], *, queue: str) -> None:
    """Do what the bell asks for, and ring again if work is left.

    A bell that was rung before this process last began to look has been answered by that. Each that is not
    passed over rings again, so without this they would grow in number while there is work, and whoever waits
    to be planned would stand behind all of them.
    """
    rung = (task.request.headers or {}).get(RUNG)
    began, ended = _looked.get(queue, (0.0, 0.0))
    if rung is not None and rung < began and time.monotonic() < ended + DEAF_SECONDS:
        return
    began = time.time()
    left = in_child(work)
    _looked[queue] = began, time.monotonic()
    if left and not is_stopping():
        ring(task, queue=queue)


def _drain_bulk(worker: Worker) -> bool:
    drain_bulk(worker, seconds=DRAIN_SECONDS, turn=TURN_SECONDS)
    return worker.has_work(priority=Priority.BULK)


def _drain_realtime(worker: Worker) -> bool:
    drain_realtime(worker, seconds=DRAIN_SECONDS)
    return worker.has_work(priority=Priority.REALTIME)


@shared_task(name=bells.REALTIME, bind=True)
def drain_realtime_task(self: Any) -> None:
    """Send what is due of the realtime class."""
    _drain(self, _drain_realtime, queue="realtime")


@shared_task(name=bells.BULK, bind=True)
def drain_bulk_task(self: Any) -> None:
    """Send for up to fifteen seconds, shorter while others wait."""
    _drain(self, _drain_bulk, queue="bulk")


@shared_task(name=bells.MATCH)
def match_receipts_task() -> None:
    """Merge the receipts that came in since."""
    match_receipts()


@shared_task(name=bells.REPLIES)
def take_replies_task() -> None:
    """Work on the replies that came in since."""
    take_replies()


@shared_task(name=bells.PLAN)
def plan_dispatch_task(dispatch_id: int) -> None:
    """Plan the dispatch, some ranges at a time."""
    found = Dispatch.objects.filter(pk=dispatch_id).values_list("priority", "audience").first()
    if found is None:
        return
    queue = bells.planning_queue(*found)
    if not in_child(lambda worker: plan_dispatch(dispatch_id=dispatch_id, chunks=CHUNKS[queue])):
        bells.ring_planner(dispatch_id, queue=queue)
