"""What is planned already when quiet hours or a vendor's hours change: batches move to the new morning.

A batch that waits came from a moment at which it was due; its new time is the first at which one of its
customers may be written to. The windows look at each customer's clock anyway: this only keeps a campaign from
waiting for hours that are no more, and from beginning in hours that are new.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from notifyhub.messaging.engine import bells
from notifyhub.messaging.engine.limits import Limits, Policies, awake
from notifyhub.messaging.engine.planner import BATCH_ROWS
from notifyhub.messaging.engine.quiet import QUIET, release, zone_of

# Batches that one transaction moves, of up to half a thousand messages each.
CHUNK = 200

_OPEN = """
FROM messaging_batch b JOIN messaging_dispatch j ON j.id = b.dispatch_id
WHERE b.state = 0 AND b.channel = ANY(%(channels)s::text[]) AND j.message_class = ANY(%(classes)s::text[])
  AND j.state IN ('planning', 'running', 'paused')
"""

# What a worker is about to lease is left alone. Each batch finds its rows by their key: left to guess, the
# database may join whole partitions.
_READ = f"""
WITH chosen AS MATERIALIZED (
    SELECT b.id, b.dispatch_id, b.channel, b.priority, b.not_before, b.waits_for, b.cursor, b.hi, b.ids,
           j.message_class, j.urgent, j.send_at, j.expires_at
    {_OPEN} AND b.id > %(after)s
    ORDER BY b.id LIMIT {CHUNK} FOR UPDATE OF b SKIP LOCKED
)
SELECT b.id, b.channel, b.priority, b.not_before, b.waits_for, b.message_class, b.urgent, b.send_at,
       b.expires_at, z.zones
FROM chosen b CROSS JOIN LATERAL (
    SELECT array_agg(DISTINCT c.time_zone) AS zones
    FROM (
        SELECT d.id, d.customer_id FROM messaging_delivery d
        WHERE d.dispatch_id = b.dispatch_id AND d.id > b.cursor AND d.id <= b.hi AND d.state = 0
          AND (b.ids IS NULL OR d.id = ANY(b.ids))
        ORDER BY d.id LIMIT {BATCH_ROWS}
    ) d CROSS JOIN LATERAL (
        SELECT o.time_zone FROM customers_customer o WHERE o.id = d.customer_id LIMIT 1
    ) c
) z ORDER BY b.id
"""

# The rows follow, so that nothing is called late that was moved.
_MOVE = f"""
WITH moved AS (
    UPDATE messaging_batch b SET not_before = n.at, waits_for = n.why
    FROM unnest(%(ids)s::bigint[], %(times)s::timestamptz[], %(whys)s::text[]) AS n(id, at, why)
    WHERE b.id = n.id RETURNING b.dispatch_id, b.cursor, b.hi, b.ids, b.not_before
), rows AS (
    SELECT m.dispatch_id, d.id, m.not_before FROM moved m CROSS JOIN LATERAL (
        SELECT r.id FROM messaging_delivery r
        WHERE r.dispatch_id = m.dispatch_id AND r.id > m.cursor AND r.id <= m.hi AND r.state = 0
          AND (m.ids IS NULL OR r.id = ANY(m.ids))
        ORDER BY r.id LIMIT {BATCH_ROWS}
    ) d
)
UPDATE messaging_delivery t SET send_at = rows.not_before FROM rows
WHERE t.dispatch_id = rows.dispatch_id AND t.id = rows.id
"""


@dataclass(frozen=True, kw_only=True)
class Moved:
    """How many batches of a chunk moved, and the last one looked at; None when no other follows."""

    batches: int
    last: int | None


def count_open(*, classes: Collection[str], channels: Collection[str]) -> int:
    """Return how many batches wait to be sent, now or later, of these classes on these channels."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {_OPEN}", {"classes": list(classes), "channels": list(channels)})
        return int(cursor.fetchone()[0])


@transaction.atomic
def retime(*, classes: Collection[str], channels: Collection[str], after: int = 0) -> Moved:
    """Move the next batches behind `after` to where the hours of today want them; return how far it came.

    What waited for hours that are no more comes forward, never before it is due.
    """
    policies = Policies()
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")
        cursor.execute(_READ, {"classes": list(classes), "channels": list(channels), "after": after})
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        moves: dict[int, tuple[datetime, str]] = {}
        for row in rows:
            found = _place(row, policies, now)
            if found is not None:
                moves[row["id"]] = found
        if moves:
            cursor.execute(
                _MOVE,
                {
                    "ids": list(moves),
                    "times": [at for at, _why in moves.values()],
                    "whys": [why for _at, why in moves.values()],
                },
            )
    for priority in {row["priority"] for row in rows if moves.get(row["id"], (None, QUIET))[1] != QUIET}:
        bells.ring_for(priority)
    return Moved(batches=len(moves), last=rows[-1]["id"] if len(rows) == CHUNK else None)


def _place(row: dict[str, Any], policies: Policies, now: datetime) -> tuple[datetime, str] | None:
    """Return when a batch may leave and what it waits for, or None if it stays where it is."""
    limits = awake(
        policies.limits(row["message_class"], row["channel"]),
        message_class=row["message_class"],
        urgent=row["urgent"],
    )
    waits = row["waits_for"] == QUIET
    # A retry has a time of its own; what waits for the morning was due before, at the latest now.
    due = max(now, row["send_at"] if waits else row["not_before"])
    at = min((_release(limits, due, zone) for zone in row["zones"] or [""]), default=due)
    why = QUIET if at > due else ""
    if why:
        # What would expire before its time comes is settled when it expires.
        at = min(at, row["expires_at"] or at)
    elif not waits:
        return None
    if at == row["not_before"] and why == row["waits_for"]:
        return None
    return at, why


def _release(limits: Limits, due: datetime, zone: str) -> datetime:
    return release(due, zone_of(zone), quiet=limits.quiet, closed=limits.closed if limits.has_clock else ())
