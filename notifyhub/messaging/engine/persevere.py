"""Database work worth a second try: what was handed over is known, only writing it down failed."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

logger = logging.getLogger(__name__)
T = TypeVar("T")
PAUSE_SECONDS = 0.2


def persevere(work: Callable[[], T], *, until: float) -> T:
    """Return what `work()` returns, trying again after a cut connection or a deadlock up to the monotonic
    moment `until`; then raise. `work` must be one statement of its own that is harmless to repeat."""
    while True:
        try:
            return work()
        except (OperationalError, InterfaceError) as error:
            if connection.in_atomic_block or time.monotonic() >= until:
                raise
            logger.warning("The database did not take the results (%s); trying again", type(error).__name__)
            connection.close()
            time.sleep(PAUSE_SECONDS)
