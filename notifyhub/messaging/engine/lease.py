"""Taking batches from the ready ones, and giving them back.

All clocks here are the database's; the worker measures its own time on its monotonic clock only.
"""

import json
import time
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from notifyhub.messaging.engine.statements import prepared
from notifyhub.messaging.models.dispatch import Priority

REALTIME_BATCHES = 50

# Work is what runs, and what must be brought to its end: cancelled, or expired while it was paused.
_WORK = """
    (j.state = 'running' OR j.state = 'cancelling'
     OR (j.state = 'paused' AND j.expires_at <= statement_timestamp()))
"""
_REACHABLE = """
    (b.channel <> ALL(%(blocked)s::text[]) OR j.state = 'cancelling' OR j.expires_at <= statement_timestamp())
"""
# What somebody ordered to stand still, here and in the next window of what is leased already (window_sql).
# Accounts are not leased: they leave the choice instead. The table holds a handful of rows.
UNHALTED = """
    NOT EXISTS (SELECT 1 FROM messaging_halt t WHERE t.lifted_at IS NULL AND j.state <> 'cancelling' AND (
        t.scope = 'all' OR (t.scope = 'class' AND t.value = j.message_class)
        OR (t.scope = 'channel' AND t.value = b.channel)
        OR (t.scope = 'worker' AND %(owner)s LIKE t.value || ':%%')
        OR (t.scope = 'restored' AND b.not_before < t.placed_at)))
"""
_PACED = "(j.next_at IS NULL OR j.next_at <= statement_timestamp() OR j.state = 'cancelling')"

_TAKEN = """
UPDATE messaging_batch t
SET state = 1, epoch = t.epoch + 1, tries = t.tries + 1, owner = %(owner)s,
    lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
FROM {source} AS pick WHERE t.id = pick.id
RETURNING t.id, t.dispatch_id, t.channel, t.step, t.lo, t.hi, t.ids, t.cursor, t.epoch, t.tries, t.reasons
"""

_READY = f"""
    EXISTS (SELECT 1 FROM messaging_batch b WHERE b.dispatch_id = j.id AND b.state = 0
            AND b.not_before <= statement_timestamp() AND {_REACHABLE} AND {UNHALTED})
"""
_DUE_BULK = f"b.state = 0 AND b.priority = {Priority.BULK.value} AND b.not_before <= statement_timestamp()"
_TURN = "ORDER BY j.served_at NULLS FIRST, j.id"

# How many dispatches are asked in turn before those with something due are looked up.
ASKED_IN_TURN = 200

# The dispatch least recently served, then its oldest due batch. Thousands of live dispatches may wait for
# tomorrow and stand first in the turn: so only the first of them are asked one by one, and then the index of
# due batches is hopped through from dispatch to dispatch. Neither grows with what is live but not due.
# The dispatch itself is not locked to be chosen: with one dispatch and two workers the second would find
# nothing to do.
_LEASE_BULK = f"""
WITH RECURSIVE due AS (
    (SELECT b.not_before, b.dispatch_id FROM messaging_batch b WHERE {_DUE_BULK}
     ORDER BY b.not_before, b.dispatch_id LIMIT 1)
    UNION ALL
    SELECT n.not_before, n.dispatch_id FROM due CROSS JOIN LATERAL (
        SELECT b.not_before, b.dispatch_id FROM messaging_batch b
        WHERE {_DUE_BULK} AND (b.not_before, b.dispatch_id) > (due.not_before, due.dispatch_id)
        ORDER BY b.not_before, b.dispatch_id LIMIT 1) n
), chosen AS (
    SELECT coalesce((
        SELECT j.id FROM (
            SELECT j.* FROM messaging_dispatch j
            WHERE j.state IN ('running', 'cancelling', 'paused') AND {_WORK} AND {_PACED}
              AND j.priority = {Priority.BULK.value}
            {_TURN} LIMIT {ASKED_IN_TURN}) j
        WHERE {_READY} {_TURN} LIMIT 1
    ), (
        SELECT j.id FROM (
            SELECT j.id, j.served_at FROM due JOIN messaging_dispatch j ON j.id = due.dispatch_id
            WHERE j.state IN ('running', 'cancelling', 'paused') AND {_WORK} AND {_PACED} AND {_READY}
            LIMIT 1000) j
        {_TURN} LIMIT 1
    )) AS id
), pick AS (
    SELECT b.id, b.dispatch_id FROM messaging_batch b JOIN messaging_dispatch j ON j.id = b.dispatch_id
    WHERE b.dispatch_id = (SELECT id FROM chosen) AND b.state = 0
      AND b.not_before <= statement_timestamp() AND {_REACHABLE} AND {UNHALTED}
    ORDER BY b.not_before, b.id LIMIT 1 FOR UPDATE OF b SKIP LOCKED
), served AS (
    -- A dispatch with a rate of its own is handed out a second's worth at a time; of two workers that chose
    -- it at once, the second finds that its moment has moved.
    UPDATE messaging_dispatch j SET served_at = clock_timestamp(),
        next_at = CASE WHEN j.rate_per_second IS NULL THEN NULL
                       ELSE clock_timestamp() + make_interval(
                           secs => least(j.rate_per_second, %(window)s)::float / j.rate_per_second) END
    FROM pick WHERE j.id = pick.dispatch_id AND {_PACED}
    RETURNING pick.id
)
{_TAKEN.format(source="served")}
"""

_LEASE_REALTIME = f"""
WITH pick AS (
    SELECT b.id FROM messaging_batch b JOIN messaging_dispatch j ON j.id = b.dispatch_id
    WHERE b.state = 0 AND b.priority = {Priority.REALTIME.value} AND b.not_before <= statement_timestamp()
      AND j.state NOT IN ('finished', 'cancelled') AND {_WORK} AND {_REACHABLE} AND {UNHALTED}
    ORDER BY b.not_before, b.id LIMIT {REALTIME_BATCHES} FOR UPDATE OF b SKIP LOCKED
)
{_TAKEN.format(source="pick")}
"""

_DUE = f"""
SELECT EXISTS (
    SELECT 1 FROM messaging_batch b JOIN messaging_dispatch j ON j.id = b.dispatch_id
    WHERE b.state = 0 AND b.priority = %(priority)s AND b.not_before <= statement_timestamp()
      AND j.state NOT IN ('finished', 'cancelled') AND {_WORK} AND {{reachable}}
      AND {UNHALTED})
"""

_EXTEND = """
UPDATE messaging_batch SET lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE id = ANY(%(ids)s) AND state = 1 AND owner = %(owner)s
"""

# Undone is only what its own worker knows not to have handed over.
_UNDO = """
UPDATE messaging_batch t SET open_to = t.cursor
FROM unnest(%(ids)s::bigint[], %(epochs)s::int[]) AS b(id, epoch)
WHERE t.id = b.id AND t.epoch = b.epoch AND t.state = 1 AND t.open_to > t.cursor
RETURNING t.id
"""

# A lease given back by a living worker is no sign of a batch that kills. It keeps the moment it was due at,
# unless it must wait. Never what is open: that is in doubt, and for the reaper.
_GIVE_BACK = """
UPDATE messaging_batch t SET state = 0, owner = '', lease_until = NULL, tries = greatest(t.tries - 1, 0),
    not_before = CASE WHEN %(delay)s > 0
        THEN greatest(t.not_before, statement_timestamp() + make_interval(secs => %(delay)s))
        ELSE t.not_before END
FROM unnest(%(ids)s::bigint[], %(epochs)s::int[]) AS b(id, epoch)
WHERE t.id = b.id AND t.epoch = b.epoch AND t.state = 1 AND t.open_to <= t.cursor
"""


@dataclass(kw_only=True)
class LeasedBatch:
    """A batch in this worker's hands. `cursor` follows what it has settled."""

    id: int
    dispatch_id: int
    channel: str
    step: int
    lo: int
    hi: int
    ids: list[int] | None
    cursor: int
    epoch: int
    tries: int
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Say whether nothing of it is left."""
        return self.cursor >= self.hi

    def reach(self, take: int) -> int:
        """Return up to which id a window of `take` rows looks: rows are numbered without gaps but in a list
        of ids."""
        return self.hi if self.ids is not None else min(self.hi, self.cursor + take)


@dataclass(kw_only=True)
class Lease:
    """What was leased at one moment, and until when it may be used on this process's own clock."""

    owner: str
    seconds: float
    batches: list[LeasedBatch]
    taken: float = field(default_factory=time.monotonic)

    def may_send(self) -> bool:
        """Say whether a message may still be handed over: not past 70% of the lease."""
        return time.monotonic() < self.taken + 0.7 * self.seconds

    def extend(self) -> None:
        """Prolong the lease by the database's clock; a lease that was lost meanwhile stays lost."""
        asked = time.monotonic()
        with connection.cursor() as cursor:
            cursor.execute(
                _EXTEND,
                {"ids": [one.id for one in self.batches], "owner": self.owner, "seconds": self.seconds},
            )
            if cursor.rowcount:
                self.taken = asked

    def give_back(self, batches: list[LeasedBatch] | None = None, *, delay: float = 0.0) -> None:
        """Return batches that are not done to the ready ones, due again after `delay` seconds."""
        left = [one for one in (self.batches if batches is None else batches) if not one.done]
        if left:
            with connection.cursor() as cursor:
                cursor.execute(
                    _GIVE_BACK,
                    {
                        "ids": [one.id for one in left],
                        "epochs": [one.epoch for one in left],
                        "delay": delay,
                    },
                )

    def undo_opening(self, batches: list[LeasedBatch]) -> set[int]:
        """Close again what may have been opened, of which nothing was handed over; return which were."""
        with connection.cursor() as cursor:
            cursor.execute(
                _UNDO, {"ids": [one.id for one in batches], "epochs": [one.epoch for one in batches]}
            )
            return {row[0] for row in cursor.fetchall()}


def take_lease(*, owner: str, priority: int, seconds: float, window: int, blocked: list[str]) -> Lease | None:
    """Lease what is due: one batch for bulk, up to 50 for realtime; None if nothing is due or free."""
    statement = _LEASE_REALTIME if priority == Priority.REALTIME else _LEASE_BULK
    values: dict[str, Any] = {"owner": owner, "seconds": seconds, "window": window, "blocked": blocked}
    # Before the statement: the lease runs from then at the earliest.
    asked = time.monotonic()
    with prepared() as cursor:
        cursor.execute(statement, values)
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    if not rows:
        return None
    return Lease(owner=owner, seconds=seconds, batches=[_batch(row) for row in rows], taken=asked)


def _batch(row: dict[str, Any]) -> LeasedBatch:
    reasons = row.pop("reasons")
    return LeasedBatch(**row, reasons=json.loads(reasons) if isinstance(reasons, str) else reasons)


def is_due(*, priority: int, blocked: list[str] | None = None, owner: str = "") -> bool:
    """Say whether work of that class is ready; with `blocked`, only over channels that are open.

    `owner` is the worker that asks: one that was told to stand still has nothing to do.
    """
    reachable = "TRUE" if blocked is None else _REACHABLE
    with prepared() as cursor:
        values: dict[str, Any] = {"priority": priority, "blocked": blocked or [], "owner": owner}
        cursor.execute(_DUE.format(reachable=reachable), values)
        return bool(cursor.fetchone()[0])
