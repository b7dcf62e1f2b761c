"""People of a dispatch, apart from its messages: how many were reached, and how many may still be.

Over one step everybody has one message, and the batches' counters are the answer. Only whom a chain gave a
second message is looked up: those rows stand in the chained batches, each finds its earlier ones by key.
"""

from dataclasses import dataclass

from django.core.cache import cache
from django.db import connection

from notifyhub.messaging.engine.counts import Counts
from notifyhub.messaging.engine.planner import BATCH_ROWS
from notifyhub.messaging.models import Delivery

SENT, DELIVERED, PLANNED = Delivery.State.SENT, Delivery.State.DELIVERED, Delivery.State.PLANNED
# A look-up holds until the counts change; over more rows than these, while they change, so many seconds.
LARGE = 20_000
LARGE_SECONDS = 20
KEPT_SECONDS = 86400

# A batch without anybody to send to (skipped while it was planned) is of any size and left out.
_AGAIN = f"""
SELECT count(*) FILTER (WHERE d.state <> {PLANNED.value}), count(*) FILTER (WHERE d.state = {PLANNED.value})
FROM messaging_batch b
CROSS JOIN LATERAL (
    SELECT r.dedup_key, r.step, r.state FROM messaging_delivery r
    WHERE r.dispatch_id = %(dispatch)s AND r.id >= b.lo AND r.id <= b.hi
    ORDER BY r.id LIMIT {BATCH_ROWS}
) d
WHERE b.dispatch_id = %(dispatch)s AND b.chained AND b.ids IS NULL AND b.skipped <= b.hi - b.lo
  AND d.state IN ({PLANNED.value}, {SENT.value}, {DELIVERED.value})
  AND EXISTS (
      SELECT 1 FROM messaging_delivery e
      WHERE e.dispatch_id = %(dispatch)s AND e.dedup_key = d.dedup_key AND e.step < d.step
        AND e.state IN ({SENT.value}, {DELIVERED.value}))
"""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """people = reached + not_reached + open: at least one message handed over, none and none to come, none
    yet."""

    people: int
    reached: int
    open: int

    @property
    def not_reached(self) -> int:
        """Return how many got nothing and will not, or may have (unknown)."""
        return self.people - self.reached - self.open


def reach_of(dispatch_id: int, counts: Counts, *, ended: bool) -> Reach:
    """Return the people of a dispatch with these counts; of a large chain under way up to 20 s old."""
    if counts.planned == counts.people:
        return _reach(counts, 0, 0)
    key = f"messaging.reach.{dispatch_id}"
    large = not ended and counts.planned - counts.people > LARGE
    if not large:
        key += f".{counts.sent}.{counts.failed}.{counts.planned}.{counts.open}"
    again: tuple[int, int] | None = cache.get(key)
    if again is None:
        again = look_up_again(dispatch_id)
        cache.set(key, again, LARGE_SECONDS if large else KEPT_SECONDS)
    return _reach(counts, *again)


def look_up_again(dispatch_id: int) -> tuple[int, int]:
    """Return how many messages were handed over, and are planned, to people who had been handed one."""
    with connection.cursor() as cursor:
        cursor.execute(_AGAIN, {"dispatch": dispatch_id})
        sent, planned = cursor.fetchone()
    return int(sent), int(planned)


def _reach(counts: Counts, sent_again: int, open_again: int) -> Reach:
    reached = min(max(counts.sent - sent_again, 0), counts.people)
    return Reach(
        people=counts.people,
        reached=reached,
        open=min(max(counts.open - open_again, 0), counts.people - reached),
    )
