"""Counting customers before they are written to, so that no two dispatches pass a limit together.

A window takes what it wants in one upsert, customers in order; that locks the counters of everybody in it.
Then it looks at what was there before, decides message by message, and gives back what refused ones took.
All of that commits with the opening of the window or not at all.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import accumulate, chain, groupby
from typing import Any

from django.db import connection

from notifyhub.messaging.engine.arrays import Bigints
from notifyhub.messaging.engine.asks import Ask, Count, Refusal, refuse
from notifyhub.messaging.engine.reserve_sql import (
    BEFORE,
    CORRECT_OTHERS,
    CORRECT_OURS,
    EPOCH,
    TAKE,
    TAKE_ALIKE,
)
from notifyhub.messaging.engine.statements import prepared

Key = tuple[int, int]
# Customer, subject or 0, day: one row. In it, a counter for each respect.
RowKey = tuple[int, int, int]
_Counter = tuple[int, int, date, int]


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
    """One counter that a message took, and when; None if that is not known any more."""

    customer_id: int
    respect: int
    day: date
    subject: int = 0
    at: datetime | None = None


@dataclass(slots=True)
class _Counted:
    """What a message took; written out only if it is given back."""

    claim: Claim
    moment: datetime

    def __iter__(self) -> Iterator[Taken]:
        customer, day, at = self.claim.customer_id, self.claim.day, self.moment
        for ask in self.claim.asks:
            yield Taken(customer_id=customer, respect=ask.respect, day=day, subject=ask.subject, at=at)


def reserve(
    claims: Sequence[Claim], *, moment: datetime, held: Sequence[tuple[int, int]] = ()
) -> list[Iterable[Taken] | Refusal]:
    """Count these messages in their order; return what each took, or why it may not go.

    To be called in the transaction that opens their window. A message takes all it asks for or nothing.
    `held` are the batches of the window, by id and epoch; they are locked, and NotOurs is raised if one was
    taken away.
    """
    since, several = _asked(claims)
    if not since:
        return [[] for _ in claims]
    keys = sorted(since)
    who = _askers(keys, [since[key] for key in keys], several)
    batches, epochs = Bigints(one[0] for one in held), Bigints(one[1] for one in held)
    with prepared() as cursor:
        statement = TAKE if who["own"] is None else TAKE_ALIKE
        cursor.execute(statement, {**who, "at": moment, "batches": batches, "epochs": epochs})
        counted = cursor.fetchall()
        if counted and counted[-1][0] is None:
            raise NotOurs
        cursor.execute(BEFORE, who)
        before = cursor.fetchall()
    # Whoever has a counter that counted before, or more than one message here, is looked at more closely.
    known = {row[0] for row in counted} | {row[0] for row in before} | {key[0] for key, _respect in several}
    if any(ask.closed for claim in claims for ask in claim.asks):
        known = {key[0] for key in keys}
    counts = _counts([(key, respect) for key in keys if key[0] in known for respect in since[key]])
    for customer, respect, times, at in counted:
        if (count := counts.get((customer, respect))) is not None:
            count.add(next(iter(count.days)), int(times), at)
    # Days before, and the day after for one who travelled west.
    for customer, respect, on, times, at in before:
        counts[customer, respect].add(on, times, at)
    refused: dict[_Counter, int] = {}
    answers: list[Iterable[Taken] | Refusal] = [
        (claim.customer_id in known and _refuse(claim, moment, counts, refused)) or _Counted(claim, moment)
        for claim in claims
    ]
    if refused:
        with prepared() as cursor:
            cursor.execute(CORRECT_OURS, _less([(*key, n, moment) for key, n in sorted(refused.items())]))
    return answers


def _asked(claims: Sequence[Claim]) -> tuple[dict[RowKey, dict[int, int]], dict[tuple[RowKey, int], int]]:
    """Return since when each counter matters, row by row, and how often those that several ask for."""
    since: dict[RowKey, dict[int, int]] = {}
    several: dict[tuple[RowKey, int], int] = {}
    for claim in claims:
        customer, day = claim.customer_id, claim.day.toordinal() - EPOCH
        for ask in claim.asks:
            key, respect, first = (customer, ask.subject, day), ask.respect, day - ask.days + 1
            asked = since.get(key)
            if asked is None:
                asked = since[key] = {}
            elif respect in asked:
                several[key, respect] = several.get((key, respect), 1) + 1
                first = min(first, asked[respect])
            asked[respect] = first
    return since, several


def _counts(counters: Iterable[tuple[RowKey, int]]) -> dict[Key, Count]:
    """Return these counters with nothing counted on the day of their row."""
    return {(row[0], respect): Count(days={date.fromordinal(row[2] + EPOCH): 0}) for row, respect in counters}


def _askers(
    keys: Sequence[RowKey], asked: Sequence[dict[int, int]], several: dict[tuple[RowKey, int], int]
) -> dict[str, Any]:
    """Return who asks for which counters of these rows, since when: row by row, in the order of all."""
    customers, subjects, days = zip(*keys, strict=True)
    starts = [min(one.values()) for one in asked]
    lengths = set(map(len, asked))
    used = None
    if several:
        used = Bigints(
            several.get((key, respect), 1) for key, one in zip(keys, asked, strict=True) for respect in one
        )
    return {
        "person": Bigints(customers),
        "subject": Bigints(subjects),
        "today": Bigints(days),
        "since": Bigints(starts),
        **_spans(map(len, asked)),
        "own": lengths.pop() if len(lengths) == 1 else None,
        "asked": Bigints(chain.from_iterable(asked)),
        "used": used,
        "oldest": date.fromordinal(min(starts) + EPOCH),
        # The day after for one who travelled west.
        "newest": date.fromordinal(max(days) + 1 + EPOCH),
    }


def _spans(lengths: Iterable[int]) -> dict[str, Bigints]:
    """Return from which place to which in the long lists that of each row stands."""
    last = list(accumulate(lengths))
    return {"first": Bigints([1, *[one + 1 for one in last[:-1]]]), "last": Bigints(last)}


def _moments(values: Iterable[datetime | None]) -> str:
    return "{" + ",".join("NULL" if one is None else one.isoformat() for one in values) + "}"


def _refuse(
    claim: Claim, moment: datetime, counts: dict[Key, Count], refused: dict[_Counter, int]
) -> Refusal | None:
    """Return why the message may not go, and note what it gives back; else count it for those behind it."""
    customer, day = claim.customer_id, claim.day
    for ask in claim.asks:
        refusal = refuse(ask, counts[customer, ask.respect], day, moment)
        if refusal is not None:
            for other in claim.asks:
                key = (customer, other.subject, day, other.respect)
                refused[key] = refused.get(key, 0) + 1
            return refusal
    for ask in claim.asks:
        counts[customer, ask.respect].add(day, 1, moment)
    return None


def give_back(taken: Iterable[Taken]) -> None:
    """Uncount messages that certainly did not go out; their customers may be written to instead."""
    found: dict[_Counter, tuple[int, datetime | None]] = {}
    for one in taken:
        key = (one.customer_id, one.subject, one.day, one.respect)
        found[key] = (found.get(key, (0, None))[0] + 1, one.at)
    if found:
        # Planned with these values: where a plan for any values finds out by itself which partitions it
        # needs, PostgreSQL 18 passes over the rows that it had to wait for.
        with connection.cursor() as cursor:
            cursor.execute(CORRECT_OTHERS, _less([(*key, *entry) for key, entry in sorted(found.items())]))


def _less(rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    """Return the parameters that take (customer, subject, day, respect, how many, counted when) off, in that
    order."""
    groups = [(key, len(list(group))) for key, group in groupby(rows, key=lambda row: row[:3])]
    return {
        "person": Bigints(key[0] for key, _length in groups),
        "subject": Bigints(key[1] for key, _length in groups),
        "day": Bigints(key[2].toordinal() - EPOCH for key, _length in groups),
        **_spans(length for _key, length in groups),
        "respect": Bigints(row[3] for row in rows),
        "less": Bigints(row[4] for row in rows),
        "mine": _moments(row[5] for row in rows),
        "oldest": min(row[2] for row in rows),
        "newest": max(row[2] for row in rows),
    }
