"""Rows that a receipt moved before the window that sent them was settled.

A receipt moves the row and its counters at once, so what the settling window counted for the row must be
taken back, and only the difference between the two counted.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db import connection

from notifyhub.messaging.models import Delivery

State = Delivery.State

_LOCK = """
SELECT d.id, d.state, d.reason FROM messaging_delivery d
WHERE d.dispatch_id = %s AND d.id = ANY(%s) ORDER BY d.id FOR UPDATE
"""

_MOVE = """
UPDATE messaging_delivery d
SET state = w.state, reason = w.reason, tries = w.tries, account_id = coalesce(w.account_id, d.account_id),
    delivered_at = CASE WHEN w.state = 40 THEN coalesce(d.delivered_at, clock_timestamp())
                        ELSE d.delivered_at END
FROM unnest(%(ids)s::bigint[], %(states)s::smallint[], %(reasons)s::text[], %(tries)s::smallint[],
            %(accounts)s::int[]) AS w(id, state, reason, tries, account_id)
WHERE d.dispatch_id = %(dispatch)s AND d.id = w.id
"""

# A reason that comes to nothing is taken out, as counting leaves it out.
_COUNT = """
UPDATE messaging_batch b
SET sent = b.sent + %(sent)s, delivered = b.delivered + %(delivered)s, failed = b.failed + %(failed)s,
    skipped = b.skipped + %(skipped)s, unknown = b.unknown + %(unknown)s, expired = b.expired + %(expired)s,
    cancelled = b.cancelled + %(cancelled)s, deferred = b.deferred + %(deferred)s,
    reasons = (
        SELECT coalesce(jsonb_object_agg(s.key, s.n) FILTER (WHERE s.n <> 0), '{}') FROM (
            SELECT key, sum(n) AS n FROM (
                SELECT key, value::bigint AS n FROM jsonb_each_text(b.reasons)
                UNION ALL SELECT * FROM unnest(%(names)s::text[], %(changes)s::bigint[])
            ) both_of GROUP BY key
        ) s)
WHERE b.id = %(batch)s
"""

_COUNTERS = ("sent", "delivered", "failed", "skipped", "unknown", "expired", "cancelled", "deferred")
# In which counter of its batch a state is counted; what was handed over stays handed over.
COUNTED: dict[int, str] = {
    State.UNKNOWN: "unknown",
    State.SENT: "sent",
    State.DELIVERED: "sent",
    State.FAILED: "failed",
    State.BOUNCED: "failed",
    State.SKIPPED: "skipped",
    State.EXPIRED: "expired",
    State.CANCELLED: "cancelled",
}


@dataclass(frozen=True, kw_only=True)
class EarlyRow:
    """What the window would have made of a row, and the counter in which it counted that."""

    state: int
    reason: str
    tries: int
    account_id: int | None
    counted: str


def merge_settled(told: int, settled: int) -> int:
    """Return the state of a row that a receipt told of first: what is put off or stopped was sent before."""
    if settled == State.PLANNED or settled >= State.SKIPPED:
        return told
    return max(told, settled)


def amend(*, batch_id: int, dispatch_id: int, rows: dict[int, EarlyRow]) -> None:
    """Merge these rows and take back what was counted for them; inside the settling transaction."""
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    moves: list[tuple[int, int, str, EarlyRow]] = []
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [dispatch_id, sorted(rows)])
        for number, told, reason in cursor.fetchall():
            row = rows[number]
            counts[row.counted] -= 1
            counts["delivered"] -= row.state == State.DELIVERED
            state = merge_settled(told, row.state)
            kept = row.reason if told <= row.state < State.SKIPPED else reason
            _add(counts, told, -1)
            _add(counts, state, 1)
            if row.state != State.PLANNED:
                reasons[row.reason] -= 1
            reasons[reason] -= 1
            reasons[kept] += 1
            moves.append((number, state, kept, row))
        cursor.execute(_MOVE, _values(dispatch_id, moves))
        del reasons[""]
        cursor.execute(
            _COUNT,
            {
                "batch": batch_id,
                **{name: counts[name] for name in _COUNTERS},
                "names": list(reasons),
                "changes": list(reasons.values()),
            },
        )


def _add(counts: Counter[str], state: int, change: int) -> None:
    counts[COUNTED[state]] += change
    if state == State.DELIVERED:
        counts["delivered"] += change


def _values(dispatch_id: int, moves: list[tuple[int, int, str, EarlyRow]]) -> dict[str, Any]:
    return {
        "dispatch": dispatch_id,
        "ids": [number for number, *_ in moves],
        "states": [int(state) for _, state, _, _ in moves],
        "reasons": [reason for _, _, reason, _ in moves],
        "tries": [row.tries for *_, row in moves],
        "accounts": [row.account_id for *_, row in moves],
    }
