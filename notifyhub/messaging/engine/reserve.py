"""Counting customers before they are written to, so that no two dispatches pass a limit together.

A window takes what it wants in one upsert, customers in order; that locks the counters of everybody in it.
Then it looks at what was there before, decides message by message, and gives back what refused ones took.
All of that commits with the opening of the window or not at all.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import accumulate
from typing import Any

from notifyhub.messaging.engine.arrays import Bigints
from notifyhub.messaging.engine.asks import Ask, Count, Refusal, refuse
from notifyhub.messaging.engine.reserve_sql import BEFORE, CORRECT_OTHERS, CORRECT_OURS, EPOCH, TAKE
from notifyhub.messaging.engine.statements import prepared

Key = tuple[int, int]
CounterKey = tuple[int, int, int]


class NotOurs(Exception):
    """A batch of the window was taken away; nothing was counted."""


@dataclass(kw_only=True, slots=True)
class Claim:
    """What one message asks of its customer's counters, on the customer's day."""

    customer_id: int
    day: date
    asks: tuple[Ask, ...]


@dataclass(kw_only=True, slots=True)
class Taken:
    """One counter that a message took; `before` is when the one before it went out."""

    customer_id: int
    respect: int
    day: date
    at: datetime | None = None
    before: datetime | None = None


@dataclass(slots=True)
class _Fresh:
    """What a message took whose counters had counted nothing before; written out only if it is given back."""

    claim: Claim
    moment: datetime

    def __iter__(self) -> Iterator[Taken]:
        customer, day, at = self.claim.customer_id, self.claim.day, self.moment
        for ask in self.claim.asks:
            yield Taken(customer_id=customer, respect=ask.respect, day=day, at=at)


def reserve(
    claims: Sequence[Claim], *, moment: datetime, held: Sequence[tuple[int, int]] = ()
) -> list[Iterable[Taken] | Refusal]:
    """Count these messages in their order; return what each took, or why it may not go.

    To be called in the transaction that opens their window. A message takes all it asks for or nothing.
    `held` are the batches of the window, by id and epoch; they are locked, and NotOurs is raised if one was
    taken away.
    """
    # Since when each counter matters.
    since: dict[CounterKey, int] = {}
    several: dict[CounterKey, int] = {}
    shut = False
    for claim in claims:
        customer, day = claim.customer_id, claim.day.toordinal() - EPOCH
        for ask in claim.asks:
            key = (customer, ask.respect, day)
            first = day - ask.days + 1
            if ask.cap_day == 0 or ask.cap_days == 0:
                shut = True
            if key in since:
                several[key] = several.get(key, 1) + 1
                first = min(first, since[key])
            since[key] = first
    if not since:
        return [[] for _ in claims]
    keys = sorted(since)
    customers, respects, days = zip(*keys, strict=True)
    lists = {"customer": Bigints(customers), "respect": Bigints(respects), "day": Bigints(days)}
    used = Bigints(several.get(key, 1) for key in keys) if several else Bigints([1] * len(keys))
    batches, epochs = Bigints(one[0] for one in held), Bigints(one[1] for one in held)
    with prepared() as cursor:
        cursor.execute(TAKE, {**lists, "used": used, "at": moment, "batches": batches, "epochs": epochs})
        counted = cursor.fetchall()
        if counted and counted[-1][0] is None:
            raise NotOurs
        cursor.execute(BEFORE, _askers(keys, since))
        before = cursor.fetchall()
    # Whoever has a counter that counted before, or more than one message here, is looked at more closely.
    known = {row[0] for row in counted} | {row[0] for row in before} | {key[0] for key in several}
    closely = {key for key in keys if key[0] in known}
    if shut:
        known, closely = set(customers), set(keys)
    counts = _counts(closely, several, counted, moment)
    # Days before, and the day after for one who travelled west.
    for customer, respect, on, times, at in before:
        count = counts[customer, respect]
        count.days[on] = times
        count.last = at if count.last is None else max(count.last, at)
    corrections: dict[tuple[int, int, date], list[Any]] = {}
    answers: list[Iterable[Taken] | Refusal] = [
        _decide(claim, moment, counts, corrections) if claim.customer_id in known else _Fresh(claim, moment)
        for claim in claims
    ]
    rows = [(*key, used, None, at) for key, (used, at) in sorted(corrections.items())]
    _correct(rows, statement=CORRECT_OURS)
    return answers


def _askers(keys: Sequence[CounterKey], since: dict[CounterKey, int]) -> dict[str, Any]:
    """Return who asks for which of their counters, since when: customer by customer."""
    groups: dict[tuple[int, int], list[CounterKey]] = {}
    for key in keys:
        groups.setdefault((key[0], key[2]), []).append(key)
    people, days = zip(*groups, strict=True)
    starts = [min([since[key] for key in group]) for group in groups.values()]
    last = list(accumulate(map(len, groups.values())))
    return {
        "person": Bigints(people),
        "today": Bigints(days),
        "since": Bigints(starts),
        "first": Bigints([1, *[one + 1 for one in last[:-1]]]),
        "last": Bigints(last),
        "asked": Bigints([key[1] for group in groups.values() for key in group]),
        "oldest": date.fromordinal(min(starts) + EPOCH),
        # The day after for one who travelled west.
        "newest": date.fromordinal(max(days) + 1 + EPOCH),
    }


def _moments(values: Iterable[datetime | None]) -> str:
    return "{" + ",".join("NULL" if one is None else one.isoformat() for one in values) + "}"


def _counts(
    keys: Iterable[CounterKey], several: dict[CounterKey, int], rows: list[Any], moment: datetime
) -> dict[Key, Count]:
    """Return what these counters stood at before we took them; `rows` are those that may have counted."""
    found = {(row[0], row[1]): row[2:] for row in rows}
    counts: dict[Key, Count] = {}
    for customer, respect, day in keys:
        mine = several.get((customer, respect, day), 1)
        used, at = found.get((customer, respect), (mine, None))
        before = used - mine
        on = date.fromordinal(day + EPOCH)
        counts[customer, respect] = Count(days={on: before}, last=(at or moment) if before > 0 else None)
    return counts


def _decide(
    claim: Claim,
    moment: datetime,
    counts: dict[Key, Count],
    corrections: dict[tuple[int, int, date], list[Any]],
) -> list[Taken] | Refusal:
    for ask in claim.asks:
        refusal = refuse(ask, counts[claim.customer_id, ask.respect], claim.day, moment)
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
                at=moment,
                before=count.last if count.days[claim.day] else None,
            )
        )
        if count.days[claim.day]:
            # Its time was left alone; now it is known that this one is the last.
            corrections.setdefault(key, [0, None])[1] = moment
        count.days[claim.day] += 1
        count.last = moment
    return taken


def give_back(taken: Iterable[Taken]) -> None:
    """Uncount messages that certainly did not go out; their customers may be written to instead."""
    found: dict[tuple[int, int, date], list[Any]] = {}
    for one in taken:
        entry = found.setdefault((one.customer_id, one.respect, one.day), [0, one.at, one.before])
        entry[0] += 1
        if one.before is None or (entry[2] is not None and one.before < entry[2]):
            entry[2] = one.before
    rows = [(*key, *entry) for key, entry in sorted(found.items())]
    _correct(rows, statement=CORRECT_OTHERS)


def _correct(rows: list[tuple[Any, ...]], *, statement: str) -> None:
    """Write (customer, respect, day, how many less, if last at, last at) in that order."""
    if not rows:
        return
    with prepared() as cursor:
        cursor.execute(
            statement,
            {
                "customer": Bigints(row[0] for row in rows),
                "respect": Bigints(row[1] for row in rows),
                "day": Bigints(row[2].toordinal() - EPOCH for row in rows),
                "used": Bigints(row[3] for row in rows),
                "mine": _moments(row[4] for row in rows),
                "at": _moments(row[5] for row in rows),
                "oldest": min(row[2] for row in rows),
                "newest": max(row[2] for row in rows),
            },
        )
