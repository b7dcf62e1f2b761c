"""Old partitions go as a whole: nothing is deleted row by row, so nothing has to be vacuumed."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from notifyhub.core.partitions import drop_partition, ended_months, partitions_of

MONTHLY = {
    "events": "messaging_deliveryevent",
    "copies": "messaging_messagecopy",
    "counts": "messaging_sendday",
}
LEDGER = "messaging_delivery"
WATCHED = (*MONTHLY.values(), LEDGER)

# A range may go when every dispatch of it ended long ago, and later ranges are in use already.
_ENDED = """
SELECT EXISTS (SELECT 1 FROM messaging_dispatch WHERE id >= %(high)s)
   AND NOT EXISTS (
       SELECT 1 FROM messaging_dispatch
       WHERE id >= %(low)s AND id < %(high)s
         AND (state NOT IN ('finished', 'cancelled') OR coalesce(finished_at, created_at) >= %(edge)s))
"""
# What planned and addressed the dropped rows; they hold variables and would point at nothing.
_LEFT = """
DELETE FROM {table} WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM {table} WHERE dispatch_id >= %(low)s AND dispatch_id < %(high)s LIMIT 10000))
"""


def drop_old_partitions(*, now: datetime | None = None) -> int:
    """Drop the partitions that are older than the settings keep them; return how many went."""
    now = now or timezone.now()
    dropped = 0
    for name, table in MONTHLY.items():
        days = settings.KEEP_DAYS[name]
        if not days:
            continue
        for old in ended_months(table, before=now - timedelta(days=days)):
            dropped += drop_partition(table, old.name)
    if settings.KEEP_DAYS["ledger"]:
        dropped += _drop_ledger(now - timedelta(days=settings.KEEP_DAYS["ledger"]))
    return dropped


def _drop_ledger(edge: datetime) -> int:
    dropped = 0
    for one in partitions_of(LEDGER):
        if one.is_default:
            continue
        values: dict[str, Any] = {"low": int(one.low), "high": int(one.high), "edge": edge}
        with connection.cursor() as cursor:
            cursor.execute(_ENDED, values)
            if not cursor.fetchone()[0]:
                continue
            for table in ("messaging_dispatchitem", "messaging_digestitem", "messaging_batch"):
                while True:
                    cursor.execute(_LEFT.format(table=table), values)
                    if not cursor.rowcount:
                        break
        dropped += drop_partition(LEDGER, one.name)
    return dropped
