"""Signs of life of beat, of the worker nodes, and of the way through each queue."""

import logging
from datetime import datetime, timedelta
from typing import Any

from celery import current_app
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from notifyhub.staff.models import NodeBeat

logger = logging.getLogger(__name__)

QUEUES = ("realtime", "bulk", "housekeeping")
BEAT, WORKER, CANARY = "beat", "worker", "canary"
CANARY_TASK = "notifyhub.staff.tasks.canary_task"
CANARY_EVERY = 30
# A canary that waited longer than this says nothing new: the next one is already on its way.
CANARY_LIFE = 60
FORGET_AFTER = timedelta(days=1)
# So long a task may wait in its queue for a worker, in seconds: a drain of bulk holds one for
# fifteen, and two of them may stand before a canary.
PATIENCE = {"realtime": 5.0, "bulk": 30.0, "housekeeping": 30.0}
# The tick that sends canaries may come a little later than their period.
TICK_SLACK = 15


def stamp(*, name: str, kind: str, queues: str = "", **detail: Any) -> None:
    """Note that the process called `name` lives, by the database's clock."""
    NodeBeat.objects.update_or_create(
        name=name[:120], defaults={"kind": kind, "queues": queues[:120], "at": Now(), "detail": detail}
    )


def forget(*, name: str) -> None:
    """Take a process off the list: it stopped as it was told to."""
    NodeBeat.objects.filter(name=name[:120]).delete()


def send_canaries() -> int:
    """Send a canary through each queue; return how many left."""
    sent = 0
    task = current_app.signature(CANARY_TASK)
    for queue in QUEUES:
        try:
            task.apply_async(
                args=(queue, timezone.now().isoformat()), queue=queue, expires=CANARY_LIFE, retry=False
            )
            sent += 1
        except Exception as error:
            # An unreachable broker shows as an old canary, which is what the canary is for.
            logger.warning("The broker could not be reached (%s).", error)
            break
    NodeBeat.objects.filter(kind=WORKER, at__lt=timezone.now() - FORGET_AFTER).delete()
    return sent


def waiting_seconds(canary: NodeBeat) -> float:
    """Return how long canaries wait in this queue: the last one did, or the next does already."""
    took = float(canary.detail.get("took_ms", 0)) / 1000
    age = (timezone.now() - canary.at).total_seconds()
    return max(took, age + took - CANARY_EVERY - TICK_SLACK)


def is_slow(canary: NodeBeat) -> bool:
    """Say whether what is put into the canary's queue waits longer than it should."""
    return waiting_seconds(canary) > PATIENCE.get(canary.queues, PATIENCE["housekeeping"])


def receive_canary(*, queue: str, sent_at: str) -> None:
    """Stamp the arrival of the canary that left at `sent_at`."""
    left: datetime | None = parse_datetime(sent_at)
    took = max(0, int((timezone.now() - left).total_seconds() * 1000)) if left else 0
    stamp(name=f"{CANARY}:{queue}", kind=CANARY, queues=queue, took_ms=took)
