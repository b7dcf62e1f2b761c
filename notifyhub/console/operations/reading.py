"""What several cards share: rows of SQL, and the last hour as the tick has counted it."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from notifyhub.messaging.models import SendTally

# The tick counts up to a moment ago; of a minute that it has not finished, only that part is known.
_COUNTED = "SELECT upto FROM messaging_bookmark WHERE name = 'events'"
_HOUR = """
SELECT minute, priority, account_id, node, kind, sum(count)::bigint FROM messaging_sendtally
WHERE minute > %s GROUP BY 1, 2, 3, 4, 5
"""
MINUTES = 60
WAITED = {kind: place for place, kind in enumerate(SendTally.WAITED)}


def rows(sql: str, params: Any = None) -> list[Any]:
    """Return the rows of a query."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


@dataclass(kw_only=True)
class Hour:
    """The last sixty minutes, oldest first, by whatever a card asks for."""

    start: datetime
    counted: datetime
    by_queue: dict[tuple[int, str], list[int]] = field(default_factory=dict)
    by_account: dict[tuple[int, str], list[int]] = field(default_factory=dict)
    by_node: dict[str, list[int]] = field(default_factory=dict)
    # How long messages had waited that an account took, by the bounds of punctuality.
    waits: dict[int, list[int]] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """The seconds that the last two minutes cover so far."""
        into = (self.counted - self.start).total_seconds() - (MINUTES - 1) * 60
        return 60 + min(max(into, 0.0), 60.0)

    def rate(self, line: list[int] | None) -> float:
        """Return how many a second over the last minute or two."""
        return sum(line[-2:]) / self.seconds if line else 0.0


def _line() -> list[int]:
    return [0] * MINUTES


def read_hour(now: datetime) -> Hour:
    """Return the last hour, in two queries."""
    start = now.replace(second=0, microsecond=0) - timedelta(minutes=MINUTES - 1)
    found = rows(_COUNTED)
    queues: dict[tuple[int, str], list[int]] = defaultdict(_line)
    accounts: dict[tuple[int, str], list[int]] = defaultdict(_line)
    nodes: dict[str, list[int]] = defaultdict(_line)
    waits: dict[int, list[int]] = defaultdict(lambda: [0] * len(WAITED))
    for minute, priority, account, node, kind, count in rows(_HOUR, [start - timedelta(seconds=1)]):
        place = int((minute - start).total_seconds() // 60)
        if not 0 <= place < MINUTES:
            continue
        if kind in WAITED:
            waits[account][WAITED[kind]] += count
            continue
        queues[priority, kind][place] += count
        if kind not in SendTally.SAMPLES or kind == SendTally.CIRCUIT:
            accounts[account, kind][place] += count
        if kind == "sent":
            nodes[node][place] += count
    return Hour(
        start=start,
        counted=found[0][0] if found else now,
        by_queue=dict(queues),
        by_account=dict(accounts),
        by_node=dict(nodes),
        waits=dict(waits),
    )
