"""Counting customers before they are written to, so that no two dispatches pass a limit together.

A window takes what it wants in one upsert, customers in order; that locks the counters of everybody in it.
Then it looks at what was there before, decides message by message, and gives back what refused ones took.
All of that commits with the opening of the window or not at all.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection

from notifyhub.messaging.engine.asks import Ask, Count, Refusal, refuse

Key = tuple[int, int]

# The time of the last stays until we know whether this one counts: a gap is measured to it.
_TAKE = """
INSERT INTO messaging_sendcount AS t (customer_id, respect, day, used, at)
SELECT w.customer_id, w.respect, w.day, w.used, w.at
FROM unnest(%(customer)s::bigint[], %(respect)s::bigint[], %(day)s::date[], %(used)s::smallint[],
            %(at)s::timestamptz[]) AS w(customer_id, respect, day, used, at)
ORDER BY w.customer_id, w.respect, w.day
ON CONFLICT (customer_id, respect, day) DO UPDATE
SET used = t.used + excluded.used, at = CASE WHEN t.used > 0 THEN t.at ELSE excluded.at END
RETURNING t.customer_id, t.respect, t.used, t.at
"""

# A second statement, since only a new snapshot shows what others committed while we waited for their locks.
# Each counter is found by its key: the inner LIMIT keeps it a look-up whatever the statistics say.
_BEFORE = """
SELECT w.customer_id, w.respect, n.day, n.used, n.at
FROM unnest(%(customer)s::bigint[], %(respect)s::bigint[], %(day)s::date[], %(since)s::date[])
    AS w(customer_id, respect, day, since)
CROSS JOIN LATERAL (
    SELECT c.day, c.used, c.at FROM messaging_sendcount c
    WHERE c.customer_id = w.customer_id AND c.respect = w.respect AND c.day >= w.since AND c.day <> w.day
      AND c.day >= %(oldest)s::date AND c.day <= %(newest)s::date AND c.used > 0
    ORDER BY c.customer_id, c.respect, c.day LIMIT 200
) n
"""

# These rows are locked by us already, or are locked here in the same order.
_CORRECT = """
WITH w AS (
    SELECT * FROM unnest(%(customer)s::bigint[], %(respect)s::bigint[], %(day)s::date[],
                         %(used)s::smallint[], %(mine)s::timestamptz[], %(at)s::timestamptz[])
        AS w(customer_id, respect, day, used, mine, at)
), locked AS MATERIALIZED (
    SELECT c.customer_id, c.respect, c.day FROM w JOIN messaging_sendcount c
        ON c.customer_id = w.customer_id AND c.respect = w.respect AND c.day = w.day
        AND c.day >= %(oldest)s::date AND c.day <= %(newest)s::date
    ORDER BY c.customer_id, c.respect, c.day FOR UPDATE OF c
)
UPDATE messaging_sendcount t
SET used = greatest(t.used - w.used, 0),
    at = CASE WHEN w.at IS NOT NULL AND (w.mine IS NULL OR t.at = w.mine) THEN w.at ELSE t.at END
FROM locked JOIN w USING (customer_id, respect, day)
WHERE t.customer_id = locked.customer_id AND t.respect = locked.respect AND t.day = locked.day
  AND t.day >= %(oldest)s::date AND t.day <= %(newest)s::date
"""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What one message asks of its customer's counters, on the customer's day."""

    customer_id: int
    day: date
    moment: datetime
    asks: tuple[Ask, ...]


@dataclass(frozen=True, kw_only=True)
class Taken:
    """One counter that a message took; `before` is when the one before it went out."""

    customer_id: int
    respect: int
    day: date
    at: datetime | None = None
    before: datetime | None = None


def reserve(claims: Sequence[Claim]) -> list[list[Taken] | Refusal]:
    """Count these messages in their order; return what each took, or why it may not go.

    To be called in the transaction that opens their window. A message takes all it asks for or nothing.
    """
    wanted: dict[tuple[int, int, date], int] = defaultdict(int)
    moments: dict[tuple[int, int, date], datetime] = {}
    for claim in claims:
        for ask in claim.asks:
            key = (claim.customer_id, ask.respect, claim.day)
            wanted[key] += 1
            moments[key] = claim.moment
    if not wanted:
        return [[] for _ in claims]
    keys = sorted(wanted)
    counts = _take(keys, wanted, moments)
    _look_back(claims, counts)
    corrections: dict[tuple[int, int, date], list[Any]] = {}
    answers = [_decide(claim, counts, corrections) for claim in claims]
    _correct([(*key, used, None, at) for key, (used, at) in sorted(corrections.items())])
    return answers


def _take(
    keys: list[tuple[int, int, date]],
    wanted: dict[tuple[int, int, date], int],
    moments: dict[tuple[int, int, date], datetime],
) -> dict[Key, Count]:
    """Take the counters; return what they stood at before."""
    days = {(customer, respect): day for customer, respect, day in keys}
    counts: dict[Key, Count] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            _TAKE,
            {
                "customer": [key[0] for key in keys],
                "respect": [key[1] for key in keys],
                "day": [key[2] for key in keys],
                "used": [wanted[key] for key in keys],
                "at": [moments[key] for key in keys],
            },
        )
        for customer, respect, used, at in cursor.fetchall():
            day = days[customer, respect]
            before = used - wanted[customer, respect, day]
            counts[customer, respect] = Count(days={day: before}, last=at if before > 0 else None)
    return counts


def _look_back(claims: Sequence[Claim], counts: dict[Key, Count]) -> None:
    """Add the days before (and after, for one who travelled west) to the counts."""
    rows = sorted(
        {
            (claim.customer_id, ask.respect, claim.day, claim.day - timedelta(days=ask.days - 1))
            for claim in claims
            for ask in claim.asks
        }
    )
    with connection.cursor() as cursor:
        cursor.execute(
            _BEFORE,
            {
                "customer": [row[0] for row in rows],
                "respect": [row[1] for row in rows],
                "day": [row[2] for row in rows],
                "since": [row[3] for row in rows],
                "oldest": min(row[3] for row in rows),
                "newest": max(row[2] for row in rows) + timedelta(days=1),
            },
        )
        for customer, respect, day, used, at in cursor.fetchall():
            count = counts[customer, respect]
            count.days[day] = used
            count.last = at if count.last is None else max(count.last, at)


def _decide(
    claim: Claim, counts: dict[Key, Count], corrections: dict[tuple[int, int, date], list[Any]]
) -> list[Taken] | Refusal:
    for ask in claim.asks:
        refusal = refuse(ask, counts[claim.customer_id, ask.respect], claim.day, claim.moment)
        if refusal is not None:
            for other in claim.asks:
                corrections.setdefault((claim.customer_id, other.respect, claim.day), [0, None])[0] += 1
            return refusal
    taken = []
    for ask in claim.asks:
        count = counts[claim.customer_id, ask.respect]
        key = (claim.customer_id, ask.respect, claim.day)
        taken.append(
            Taken(
                customer_id=claim.customer_id,
                respect=ask.respect,
                day=claim.day,
                at=claim.moment,
                before=count.last if count.days[claim.day] else None,
            )
        )
        if count.days[claim.day]:
            # Its time was left alone; now it is known that this one is the last.
            corrections.setdefault(key, [0, None])[1] = claim.moment
        count.days[claim.day] += 1
        count.last = claim.moment
    return taken


def give_back(taken: Iterable[Taken]) -> None:
    """Uncount messages that certainly did not go out; their customers may be written to instead."""
    found: dict[tuple[int, int, date], list[Any]] = {}
    for one in taken:
        entry = found.setdefault((one.customer_id, one.respect, one.day), [0, one.at, one.before])
        entry[0] += 1
        if one.before is None or (entry[2] is not None and one.before < entry[2]):
            entry[2] = one.before
    _correct([(*key, *entry) for key, entry in sorted(found.items())])


def _correct(rows: list[tuple[Any, ...]]) -> None:
    """Write (customer, respect, day, how many less, if last at, last at) in that order."""
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _CORRECT,
            {
                **{
                    name: [row[place] for row in rows]
                    for place, name in enumerate(("customer", "respect", "day", "used", "mine", "at"))
                },
                "oldest": min(row[2] for row in rows),
                "newest": max(row[2] for row in rows),
            },
        )
