"""Signs of life of long work, written beside it by a small thread."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from django.db import DatabaseError, connection

logger = logging.getLogger(__name__)


def beat_until(stop: Event, beat: Callable[[], object], *, every: float) -> None:
    """Call `beat` every `every` seconds until `stop` is set, over a connection opened for each call.

    A kept connection would be inherited by the children that a worker forks.
    """
    while not stop.wait(every):
        try:
            beat()
        except DatabaseError as error:
            logger.warning("A sign of life could not be written: %s", error)
        finally:
            connection.close()


@contextmanager
def kept_alive(beat: Callable[[], object], *, every: float) -> Iterator[None]:
    """Run the block while `beat` is called every `every` seconds."""
    stop = Event()
    thread = Thread(target=beat_until, args=(stop, beat), kwargs={"every": every}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=5)
