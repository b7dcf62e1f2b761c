"""A worker node's sign of life: a small thread in its main process, from its start to its clean stop."""

import os
import socket
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

from celery.signals import celeryd_init, worker_ready, worker_shutdown
from django.db import DatabaseError, connection
from django.utils import timezone

from notifyhub.staff.services.alive import beat_until
from notifyhub.staff.services.heartbeats import WORKER, forget, stamp

EVERY = 10
_PAGE = 4096
_stop = Event()
# Set before the pool forks, so that its children know whose they are.
_name = ""


def node_name() -> str:
    """Return the name of this process's worker node, as the list of workers shows it; else the host's."""
    return _name or socket.gethostname()


def keep_name(sender: Any, **kwargs: Any) -> None:
    """Receiver of celeryd_init: the node's name is known before anything else of it."""
    global _name
    _name = str(sender)


def _queues_of(worker: Any) -> str:
    return ",".join(sorted(worker.app.amqp.queues.consume_from))


def _children(pid: int) -> list[int]:
    with suppress(OSError, ValueError):
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _memory(pid: int) -> int:
    """Return the bytes of memory that the process holds; 0 where the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    return 0


def measure() -> dict[str, int]:
    """Return how many processes this node has, and the memory of the largest in MiB."""
    processes = [os.getpid(), *_children(os.getpid())]
    largest = max(_memory(pid) for pid in processes)
    return {"processes": max(1, len(processes) - 1), "memory_mib": largest // 2**20}


def start_beating(sender: Any, **kwargs: Any) -> None:
    """Receiver of worker_ready: stamp the node now and every ten seconds."""
    name, queues = sender.hostname, _queues_of(sender)
    started = timezone.now().isoformat()

    def beat() -> None:
        stamp(name=name, kind=WORKER, queues=queues, started=started, **measure())

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
    celeryd_init.connect(keep_name, dispatch_uid="notifyhub.node_name")
    worker_ready.connect(start_beating, dispatch_uid="notifyhub.node_beat")
    worker_shutdown.connect(stop_beating, dispatch_uid="notifyhub.node_stop")
