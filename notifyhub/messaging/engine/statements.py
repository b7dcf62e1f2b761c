"""The engine's hot statements: bound and kept prepared by the server, on Django's own connection.

Django writes parameters into the text of a statement, so PostgreSQL parses and plans each window's thousands
of characters anew: for the long ones that costs more than running them. Here a statement is prepared once a
connection and planned once a while. It runs in Django's transaction, its errors are Django's, and
`execute_wrapper` and the log of queries see it.
"""

import math
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import Any

import psycopg
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.utils import CursorWrapper
from psycopg.adapt import AdaptersMap
from psycopg.pq import TransactionStatus
from psycopg.types.datetime import TimestamptzLoader
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper

from notifyhub.messaging.engine import arrays

# Within a statement that changes something: do not wait until its commit is on the disk. The next commit that
# is waited for brings it there too, for PostgreSQL writes them in their order. See `write` for when this is
# harmless.
LAZY_COMMIT = "set_config('synchronous_commit', 'off', TRUE)"

# A plan made for few customers is no good for a million, and only ANALYZE would tell.
PLANS_LAST_SECONDS = 5.0

_BY_INDEX = "SET enable_seqscan = off"
_BY_ROW = f"{_BY_INDEX}; SET enable_hashjoin = off; SET enable_mergejoin = off"

_planned = threading.local()
_known = threading.local()


_PLACE = re.compile(r"%(?:(%)|s|\((\w+)\)s)")


@lru_cache(maxsize=512)
def _numbered(query: str) -> tuple[bytes, tuple[str | int, ...]]:
    """Return a statement with its places numbered as the server wants them, and what stands in each.

    psycopg would look for them each time in a statement of more than 4 KB, as the longest here are.
    """
    order: dict[str | int, str] = {}

    def number(found: re.Match[str]) -> str:
        if found[1]:
            return "%"
        key = found[2] or len(order)
        return order.setdefault(key, f"${len(order) + 1}")

    return _PLACE.sub(number, query).encode(), tuple(order)


class Prepared(psycopg.RawCursor[Any]):
    """A cursor that leaves what it executes prepared for the next time."""

    by_row = True

    @property
    def adapters(self) -> AdaptersMap:
        """Return how values travel between Python and the server."""
        return _adapters_of(self.connection)

    def execute(self, query: Any, params: Any = None, **options: Any) -> "Prepared":
        """Execute the statement."""
        if params is not None:
            query, order = _numbered(query)
            params = [params[key] for key in order]
        # psycopg prepares a statement once for each mixture of types; an empty list is a type of its own.
        kind = (query, *[(type(one), one == []) for one in params or ()])
        if _planned.statements is None or kind in _planned.statements:
            return super().execute(query, params, prepare=True, **options)
        with _planned_as(_BY_ROW if self.by_row else _BY_INDEX, self.connection):
            super().execute(query, params, prepare=True, **options)
        _planned.statements.add(kind)
        return self


@contextmanager
def _planned_as(how: str, raw: "psycopg.Connection[Any]") -> Iterator[None]:
    """Let the server plan what is executed as look-ups.

    While a partition has a page or two, reading all of it is the cheapest way to any row; the plan outlives
    that, and a planning that runs beside it adds a hundred thousand rows a second.
    """
    raw.execute(how)
    try:
        yield
    finally:
        # A transaction that failed takes the setting back itself.
        if raw.info.transaction_status in (TransactionStatus.IDLE, TransactionStatus.INTRANS):
            raw.execute(how.replace("= off", "TO DEFAULT"))


class _MomentLoader(TimestamptzLoader):
    """Reads a moment once that stands in each row of a window."""

    _last: tuple[bytes, datetime] | None = None

    def load(self, data: Any) -> datetime:
        if self._last is None or self._last[0] != data:
            self._last = bytes(data), super().load(data).replace(tzinfo=connection.timezone)
        return self._last[1]


def prepared(*, by_row: bool = True) -> CursorWrapper:
    """Return a cursor like that of `connection.cursor()`, for statements whose text never changes with the
    data. Parameters want a cast where the server cannot guess their type.

    `by_row` False leaves it to the server how to join: for what reads a window, whose rows are bounded by
    themselves, and where joining sets costs two thirds of looking up each.
    """
    # Django's own object, whose attributes are found at once, and not the one that asks for it every time.
    database = connections[DEFAULT_DB_ALIAS]
    database.close_if_health_check_failed()
    database.ensure_connection()
    raw = database.connection
    with database.wrap_database_errors:
        _keep_plans_fresh(raw)
    cursor = Prepared(raw)
    cursor.by_row = by_row
    wrapped: CursorWrapper = database._prepare_cursor(cursor)  # type: ignore[attr-defined]
    return wrapped


def plan_anew() -> None:
    """Let the next statement of this connection be planned for the tables as they are then.

    A campaign adds a hundred thousand rows a second to the ledger. A plan that is older than its rows may
    have taken any index of a table of one page, since all of them cost the same there.
    """
    _planned.at = -math.inf


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
    if raw.prepare_threshold is None or settings.DATABASE_POOL == "transaction":
        # What is set in a session that is shared would be found there by others: their plans, not ours.
        # Statements are planned each time there, and so for the tables as they are.
        _planned.statements = None
        return
    now = time.monotonic()
    if getattr(_planned, "of", None) is not raw:
        raw.execute("SET plan_cache_mode = force_generic_plan")
    elif now - _planned.at < PLANS_LAST_SECONDS:
        return
    else:
        raw.execute("DISCARD PLANS")
    _planned.of, _planned.at, _planned.statements = raw, now, set()
