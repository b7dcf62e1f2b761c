"""Counting a dispatch from its batches, and folding the counts into its row.

The dispatch's row is written by the tick and not by each window: thousands of writes to one row would make
all workers wait for each other.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

COLUMNS = ("sent", "delivered", "failed", "skipped", "unknown", "expired", "cancelled", "gathered")

_SUMS = f"""
SELECT b.dispatch_id,
       coalesce(sum(b.hi - b.lo + 1) FILTER (WHERE b.ids IS NULL), 0)::bigint AS planned,
       {", ".join(f"sum(b.{name})::bigint AS {name}" for name in COLUMNS)},
       bool_or(b.state <> 2 OR b.check_at IS NOT NULL) AS batches_open,
       coalesce(sum(b.hi - b.lo + 1) FILTER (WHERE b.ids IS NULL AND NOT b.chained), 0)::bigint AS people,
       count(b.check_at) AS checks_open, min(b.check_at) AS next_check_at
FROM messaging_batch b WHERE b.dispatch_id = ANY(%(ids)s) GROUP BY b.dispatch_id
"""

_REASONS = """
SELECT b.dispatch_id, r.key, sum(r.value::bigint)::bigint
FROM messaging_batch b, jsonb_each_text(b.reasons) r
WHERE b.dispatch_id = ANY(%(ids)s) AND b.reasons <> '{}' GROUP BY 1, 2
HAVING sum(r.value::bigint) <> 0
"""

# The speed is taken between two folds at least two seconds apart.
_FOLD = f"""
UPDATE messaging_dispatch j
SET planned = n.planned, people = n.people,
    {", ".join(f"{name} = n.{name}" for name in COLUMNS)}, reasons = n.reasons,
    rate = CASE WHEN j.folded_at < statement_timestamp() - interval '2 seconds'
                THEN (n.sent - j.sent) / extract(epoch FROM statement_timestamp() - j.folded_at)
                ELSE j.rate END,
    folded_at = CASE WHEN j.folded_at >= statement_timestamp() - interval '2 seconds'
                     THEN j.folded_at ELSE statement_timestamp() END
FROM jsonb_to_recordset(%(rows)s::jsonb) AS n(
    id bigint, planned bigint, people bigint, reasons jsonb,
    {", ".join(f"{name} bigint" for name in COLUMNS)})
WHERE j.id = n.id
"""


@dataclass(kw_only=True)
class Counts:
    """The sums over the batches of one dispatch; `batches_open` says whether work is left.

    `people` are recipients, `planned` messages. `checks_open` batches are still to be looked at for a next
    step, the first of them at `next_check_at`.
    """

    people: int = 0
    planned: int = 0
    sent: int = 0
    delivered: int = 0
    failed: int = 0
    skipped: int = 0
    unknown: int = 0
    expired: int = 0
    cancelled: int = 0
    gathered: int = 0
    batches_open: bool = False
    checks_open: int = 0
    next_check_at: datetime | None = None
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def open(self) -> int:
        """Return how many rows are not in a final state yet."""
        ended = self.sent + self.failed + self.skipped + self.unknown + self.expired + self.cancelled
        return self.planned - ended - self.gathered


def count_dispatches(ids: list[int]) -> dict[int, Counts]:
    """Return the counts of those dispatches that have batches, from two statements whatever their number."""
    found: dict[int, Counts] = {}
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, {"ids": ids})
        names = [column[0] for column in cursor.description][1:]
        for number, *values in cursor.fetchall():
            found[number] = Counts(**dict(zip(names, values, strict=True)))
        cursor.execute(_REASONS, {"ids": ids})
        for number, reason, rows in cursor.fetchall():
            found[number].reasons[reason] = rows
    return found


def fold_counts(ids: list[int]) -> dict[int, Counts]:
    """Write the counts of these dispatches to their rows; return them.

    A dispatch whose batches retention has taken keeps the counts it has.
    """
    counts = count_dispatches(ids)
    rows: list[dict[str, Any]] = [
        {
            "id": number,
            "planned": found.planned,
            "people": found.people,
            "reasons": found.reasons,
            **{name: getattr(found, name) for name in COLUMNS},
        }
        for number, found in counts.items()
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_FOLD, {"rows": json.dumps(rows)})
    return counts
