"""What one worker child keeps between its tasks: a thread with its own database connection, and a transport.

Celery closes the connections of the thread that runs tasks before and after each of them. The engine lives
in a thread that Celery does not know, so its connection and the providers' stay open. Everything is made at
the first task, after the fork.
"""

import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from django.db import connection

from notifyhub.messaging.engine.collector import calm_collector
from notifyhub.messaging.engine.transport import Transport
from notifyhub.messaging.engine.worker import Worker


class Child:
    """The engine thread of this process."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._jobs: queue.SimpleQueue[tuple[Callable[[Worker], Any], Future[Any]]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def call(self, work: Callable[[Worker], Any]) -> Any:
        """Run `work(worker)` in the engine thread and return what it returns."""
        future: Future[Any] = Future()
        self._jobs.put((work, future))
        return future.result()

    def _run(self) -> None:
        worker = Worker(Transport())
        calm_collector()
        while True:
            work, future = self._jobs.get()
            try:
                if connection.connection is not None and not connection.is_usable():
                    connection.close()
                future.set_result(work(worker))
            except BaseException as error:
                # A statement that was prepared before a migration changed its columns fails for good.
                connection.close()
                future.set_exception(error)


_child: Child | None = None
_lock = threading.Lock()


def in_child(work: Callable[[Worker], Any]) -> Any:
    """Run `work(worker)` with what this process keeps; makes it at first use, and anew after a fork."""
    global _child
    with _lock:
        if _child is None or _child.pid != os.getpid():
            _child = Child()
    return _child.call(work)
