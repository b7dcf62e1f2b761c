"""Working ahead: the next chunk is read while the database writes this one."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, Full, Queue
from typing import Any, TypeVar

T = TypeVar("T")
_END = object()


def read_ahead(source: Iterator[T], *, depth: int = 1) -> Iterator[T]:
    """Yield what `source` yields, made in a thread of its own at most `depth` items ahead.

    What `source` raises is raised here, in its place. The thread ends with the iteration, also when that is
    given up half-way. `source` must not use the database: connections belong to their thread.
    """
    queue: Queue[Any] = Queue(maxsize=depth)
    stopped = threading.Event()

    def put(item: Any) -> None:
        while not stopped.is_set():
            try:
                queue.put(item, timeout=0.2)
            except Full:
                continue
            return

    def work() -> None:
        try:
            for item in source:
                put((item, None))
                if stopped.is_set():
                    return
            put((_END, None))
        except BaseException as error:  # handed over to whoever iterates
            put((_END, error))

    thread = threading.Thread(target=copy_context().run, args=(work,), name="read-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = queue.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        stopped.set()
        with suppress(Empty):
            queue.get_nowait()
        thread.join()
