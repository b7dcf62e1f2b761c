"""Ringing the workers: a hint after commit that may be lost, late or doubled without effect."""

import logging
import os
import threading
import time
from functools import partial
from typing import Any

from celery import current_app
from django.db import transaction
from kombu.pools import ProducerPool

logger = logging.getLogger(__name__)

# Whoever accepts work rings while a person waits: a broker that says nothing for so long counts as gone.
PATIENCE_SECONDS = 1.0
# After a ring that failed, nobody in this process tries for a while: the tick rings again anyway.
QUIET_SECONDS = 5.0
RINGERS = 16
# The header that says when it was rung, by the clock of whoever rang.
RUNG = "rung"


class _Bell:
    """The connections of this process to the broker at `url`, and until when it is left alone."""

    def __init__(self, url: str) -> None:
        self.made_for = (os.getpid(), url)
        self.quiet_until = 0.0
        options = {
            "socket_timeout": PATIENCE_SECONDS,
            "socket_connect_timeout": PATIENCE_SECONDS,
            "retry_on_timeout": False,
            "max_retries": 0,
        }
        connection = current_app.connection_for_write(transport_options=options)
        self.producers = ProducerPool(connections=connection.Pool(limit=RINGERS), limit=RINGERS)

    def ring(self, task: Any, args: tuple[Any, ...], queue: str) -> bool:
        """Send the task; say whether the broker took it."""
        if time.monotonic() < self.quiet_until:
            return False
        try:
            with self.producers.acquire(block=True, timeout=PATIENCE_SECONDS) as producer:
                headers = {RUNG: time.time()}
                task.apply_async(args=args, queue=queue, retry=False, producer=producer, headers=headers)
        except Exception as error:
            # The row is committed and the tick rings again, so an unreachable broker delays work and loses
            # none.
            self.quiet_until = time.monotonic() + QUIET_SECONDS
            logger.warning("The broker could not be reached (%s); the next tick takes over.", error)
            return False
        return True


_bell: _Bell | None = None
_lock = threading.Lock()


def _ring(task: Any, args: tuple[Any, ...], queue: str) -> None:
    global _bell
    url = current_app.conf.broker_write_url or current_app.conf.broker_url
    with _lock:
        # Connections do not survive a fork.
        if _bell is None or _bell.made_for != (os.getpid(), url):
            _bell = _Bell(url)
        bell = _bell
    bell.ring(task, args, queue)


def ring(task: Any, *args: Any, queue: str) -> None:
    """Send `task` to `queue` once the current transaction has committed; never raises for a dead broker, and
    waits for a silent one no longer than a moment."""
    transaction.on_commit(partial(_ring, task, args, queue), robust=True)
