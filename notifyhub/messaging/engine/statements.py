"""The engine's hot statements: bound and kept prepared by the server, on Django's own connection.

Django writes parameters into the text of a statement, so PostgreSQL parses and plans each window's thousands
of characters anew: for the long ones that costs more than running them. Here a statement is prepared once a
connection and planned once a while. It runs in Django's transaction, its errors are Django's, and
`execute_wrapper` and the log of queries see it.
"""

import threading
import time
from datetime import datetime
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.utils import CursorWrapper
from psycopg.adapt import AdaptersMap
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
_known = threading.local()


class Prepared(psycopg.Cursor[Any]):
    """A cursor that leaves what it executes prepared for the next time."""

    @property
    def adapters(self) -> AdaptersMap:
        """Return how values travel between Python and the server."""
        return _adapters_of(self.connection)

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


def prepared() -> CursorWrapper:
    """Return a cursor like that of `connection.cursor()`, for statements whose text never changes with the
    data. Parameters want a cast where the server cannot guess their type."""
    # Django's own object, whose attributes are found at once, and not the one that asks for it every time.
    database = connections[DEFAULT_DB_ALIAS]
    database.close_if_health_check_failed()
    database.ensure_connection()
    raw = database.connection
    with database.wrap_database_errors:
        _keep_plans_fresh(raw)
    return database._prepare_cursor(Prepared(raw))


def _adapters_of(raw: "psycopg.Connection[Any]") -> AdaptersMap:
    """Return how values travel; made once a connection, since it takes longer than most statements."""
    if getattr(_known, "of", None) is not raw:
        made = AdaptersMap(raw.adapters)
        # psycopg chooses the type of a number by its value, and each mixture would be one more statement.
        made.register_dumper(int, Int8BinaryDumper)
        made.register_dumper(int, Int8Dumper)
        arrays.register(made)
        made.register_loader("timestamptz", _MomentLoader)
        _known.of, _known.adapters = raw, made
    found: AdaptersMap = _known.adapters
    return found


def _keep_plans_fresh(raw: "psycopg.Connection[Any]") -> None:
    """Let the server plan the statements of this connection once for all parameters, and soon anew."""
    if raw.prepare_threshold is None:
        return
    now = time.monotonic()
    if getattr(_planned, "of", None) is not raw:
        raw.execute("SET plan_cache_mode = force_generic_plan")
    elif now - _planned.at < PLANS_LAST_SECONDS:
        return
    else:
        raw.execute("DISCARD PLANS")
    _planned.of, _planned.at = raw, now
