"""Doing a piece of work once more when two of its kind stood in each other's way."""

from collections.abc import Callable
from typing import TypeVar

from django.db import OperationalError, transaction

T = TypeVar("T")
ATTEMPTS = 3


def in_one(work: Callable[[], T]) -> T:
    """Return what `work` returns, done in one transaction, and anew if the database broke a deadlock.

    Inside a caller's transaction only the savepoint is done again.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic():
                return work()
        except OperationalError as error:
            if attempt == ATTEMPTS or getattr(error.__cause__, "sqlstate", "") not in ("40P01", "40001"):
                raise
    raise AssertionError("unreachable")
