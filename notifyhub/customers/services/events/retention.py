"""How long events are kept: by name, or as the house keeps what has no limit of its own."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from notifyhub.core.partitions import drop_partition, ended_months
from notifyhub.customers.models import EventDay, EventName

TABLE = "customers_event"
# In one statement and in one go of the tick.
SLICE = 10_000
SLICES = 50
KEEP_DAYS = timedelta(days=100)

_NAMED = """
DELETE FROM customers_event e USING (
    SELECT received_at, id FROM customers_event WHERE name = %s AND received_at < %s LIMIT %s) old
WHERE e.received_at = old.received_at AND e.id = old.id
"""
_OTHERS = """
DELETE FROM customers_event e USING (
    SELECT received_at, id FROM customers_event WHERE received_at < %s AND NOT name = ANY(%s) LIMIT %s) old
WHERE e.received_at = old.received_at AND e.id = old.id
"""
_KEYS = """
DELETE FROM customers_eventkey WHERE message_id IN (
    SELECT message_id FROM customers_eventkey WHERE received_at < %s LIMIT %s)
"""


def forget_events(*, now: datetime | None = None) -> int:
    """Drop and delete the events nobody keeps any more; return how many partitions and rows went.

    Whole months go as partitions once no name keeps them; what has a shorter limit is deleted by name. A
    message id is remembered as long as anything is, so that a late repetition is still known.
    """
    now = now or timezone.now()
    default = settings.KEEP_DAYS["events"]
    named = EventName.objects.exclude(keep_days=None).values_list("name", "keep_days")
    limits = {name: days or 0 for name, days in named}
    gone = 0
    longest = None if 0 in (default, *limits.values()) else max(default, *limits.values(), 0)
    if longest is not None:
        edge = now - timedelta(days=longest)
        for old in ended_months(TABLE, before=edge):
            gone += drop_partition(TABLE, old.name)
        gone += _delete(_KEYS, edge)
    for name, days in limits.items():
        if days and (longest is None or days < longest):
            gone += _delete(_NAMED, name, now - timedelta(days=days))
    if default and (longest is None or default < longest):
        gone += _delete(_OTHERS, now - timedelta(days=default), list(limits))
    EventDay.objects.filter(day__lt=(now - KEEP_DAYS).date()).delete()
    return gone


def _delete(statement: str, *values: Any) -> int:
    gone = 0
    with connection.cursor() as cursor:
        for _ in range(SLICES):
            cursor.execute(statement, [*values, SLICE])
            gone += cursor.rowcount
            if cursor.rowcount < SLICE:
                break
    return gone
