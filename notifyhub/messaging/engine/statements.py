"""The engine's hot statements: bound and kept prepared by the server, on Django's own connection.

Django writes parameters into the text of a statement, so PostgreSQL parses and plans each window's thousands
of characters anew: for the long ones that costs more than running them. Here a statement is prepared once a
connection and planned once a while. It runs in Django's transaction, its errors are Django's, and
`execute_wrapper` and the log of queries see it.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg.types.datetime import TimestamptzLoader
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper

from notifyhub.messaging.engine import arrays

# Within a statement that changes something: do not wait until its commit is on the disk. The next commit that
# is waited for brings it there too, for PostgreSQL writes them in their order. See `write` for when this is
# harmless.
LAZY_COMMIT = "set_config('synchronous_commit', 'off', TRUE)"

# A plan made on an empty table is no good on a million rows, and only ANALYZE would tell.
PLANS_LAST_SECONDS = 30.0

_planned = threading.local()


class Prepared(psycopg.Cursor[Any]):
    """A cursor that leaves what it executes prepared for the next time."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> "Prepared":
        """Execute the statement."""
        return super().execute(query, params, prepare=True, **options)


class _MomentLoader(TimestamptzLoader):
    """Reads a moment once that stands in each row of a window."""

    _last: tuple[bytes, datetime] | None = None

    def load(self, data: Any) -> datetime:
        if self._last is None or self._last[0] != data:
            self._last = bytes(data), super().load(data).replace(tzinfo=connection.timezone)
        return self._last[1]


@contextmanager
def prepared() -> Iterator[CursorWrapper]:
    """Give a cursor like that of `connection.cursor()`, for statements whose text never changes with the
    data. Parameters want a cast where the server cannot guess their type."""
    with connection.cursor() as cursor:
        raw = cursor.connection
        with connection.wrap_database_errors:
            _keep_plans_fresh(raw)
        mine = Prepared(raw)
        # psycopg chooses the type of a number by its value, and each mixture would be one more statement.
        mine.adapters.register_dumper(int, Int8BinaryDumper)
        mine.adapters.register_dumper(int, Int8Dumper)
        arrays.register(mine.adapters)
        mine.adapters.register_loader("timestamptz", _MomentLoader)
        cursor.cursor = mine
        yield cursor


def _keep_plans_fresh(raw: "psycopg.Connection[Any]") -> None:
    """Let the server plan the statements of this connection once for all parameters, and soon anew."""
    if raw.prepare_threshold is None or settings.DATABASE_POOL == "transaction":
        # What is set in a session that is shared would be found there by others: their plans, not ours.
        return
    now = time.monotonic()
    if getattr(_planned, "of", None) is not raw:
        raw.execute("SET plan_cache_mode = force_generic_plan")
    elif now - _planned.at < PLANS_LAST_SECONDS:
        return
    else:
        raw.execute("DISCARD PLANS")
    _planned.of, _planned.at = raw, now
