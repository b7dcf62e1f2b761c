"""Ringing the workers: a hint after commit that may be lost, late or doubled without effect."""

import logging
from functools import partial
from typing import Any

from django.db import transaction

logger = logging.getLogger(__name__)


def _ring(task: Any, args: tuple[Any, ...], queue: str) -> None:
    try:
        task.apply_async(args=args, queue=queue, retry=False)
    except Exception as error:
        # The row is committed and the tick rings again, so an unreachable broker delays work and loses none.
        logger.warning("The broker could not be reached (%s); the next tick takes over.", error)


def ring(task: Any, *args: Any, queue: str) -> None:
    """Send `task` to `queue` once the current transaction has committed; never raises for a dead broker."""
    transaction.on_commit(partial(_ring, task, args, queue), robust=True)
