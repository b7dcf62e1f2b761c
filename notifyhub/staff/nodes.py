"""A worker node's sign of life: a small thread in its main process, from its start to its clean stop."""

from threading import Event, Thread
from typing import Any

from celery.signals import worker_ready, worker_shutdown
from django.db import DatabaseError, connection

from notifyhub.staff.services.alive import beat_until
from notifyhub.staff.services.heartbeats import WORKER, forget, stamp

EVERY = 10
_stop = Event()


def _queues_of(worker: Any) -> str:
    return ",".join(sorted(worker.app.amqp.queues.consume_from))


def start_beating(sender: Any, **kwargs: Any) -> None:
    """Receiver of worker_ready: stamp the node now and every ten seconds."""
    name, queues = sender.hostname, _queues_of(sender)

    def beat() -> None:
        stamp(name=name, kind=WORKER, queues=queues)

    def run() -> None:
        # A moment of 0 seconds first, so that a fresh worker is seen at once.
        _first(beat)
        beat_until(_stop, beat, every=EVERY)

    _stop.clear()
    Thread(target=run, daemon=True, name="node-beat").start()


def _first(beat: Any) -> None:
    try:
        beat()
    except DatabaseError:
        # The database may still be starting; the next beat tries again.
        pass
    finally:
        connection.close()


def stop_beating(sender: Any, **kwargs: Any) -> None:
    """Receiver of worker_shutdown: take the node off the list, since it stopped as it was told to."""
    _stop.set()
    try:
        forget(name=sender.hostname)
    except DatabaseError:
        # The database went first; the row will be seen as silent and forgotten in a day.
        pass
    finally:
        connection.close()


def register() -> None:
    """Listen to the workers' own signals."""
    worker_ready.connect(start_beating, dispatch_uid="notifyhub.node_beat")
    worker_shutdown.connect(stop_beating, dispatch_uid="notifyhub.node_stop")
