"""Following the events from where one stopped, so that each reader deals with each event, whatever dies.

A signal tells at once what came in, and may be lost; the bookmark is what counts. It passes an event only
when no transaction is open that could still bring an older one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from notifyhub.customers.models import EventBookmark

# Between reading the clock for an event and being seen as a writer lies no more than one statement.
MARGIN = timedelta(seconds=2)
# So many events are dealt with in one transaction.
ROWS = 20_000

# Asked by a statement of its own: what it has not seen as open has committed before the next one looks.
# Autovacuum has transactions too, of hours on a large table, and brings no row.
_HORIZON = """
SELECT least(min(xact_start), clock_timestamp() - make_interval(secs => %s)) FROM pg_stat_activity
WHERE datname = current_database() AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()
    AND backend_type <> 'autovacuum worker'
"""
_END = """
SELECT received_at FROM customers_event
WHERE received_at > %s AND received_at <= %s ORDER BY received_at OFFSET %s LIMIT 1
"""


@dataclass(frozen=True, kw_only=True)
class Span:
    """Events with `after < received_at <= upto`; `more` says whether others wait behind them."""

    after: datetime
    upto: datetime
    more: bool


def horizon() -> datetime:
    """Return the moment before which no open transaction brings a row any more, by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(_HORIZON, [MARGIN.total_seconds()])
        moment: datetime = cursor.fetchone()[0]
    return moment


def follow_events(
    name: str, handle: Callable[[Span], Any], *, start: datetime | None = None, rows: int = ROWS
) -> bool:
    """Hand the next events to `handle` and move the bookmark in the same transaction; say if more wait.

    A reader that comes for the first time begins at `start`, by default now. `handle` gets the span of
    `received_at` to read and should be one or few set-based statements; when it raises, nothing has moved.
    """
    edge = horizon()
    with transaction.atomic():
        EventBookmark.objects.get_or_create(name=name, defaults={"upto": start or timezone.now()})
        mark = EventBookmark.objects.select_for_update().get(name=name)
        if mark.upto >= edge:
            return False
        with connection.cursor() as cursor:
            cursor.execute(_END, [mark.upto, edge, rows - 1])
            found = cursor.fetchone()
        span = Span(after=mark.upto, upto=found[0] if found else edge, more=found is not None)
        handle(span)
        EventBookmark.objects.filter(name=name).update(upto=span.upto)
    return span.more
