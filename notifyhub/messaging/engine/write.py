"""Writing what became of a window: one statement, fenced by the epoch of the lease.

Rows, events, copies, side batches, counters and cursor change together or not at all. A worker whose lease
was taken away finds that its epoch is gone and changes nothing.

The statement writes rows that are still planned and counts them all. A row that a receipt has moved already
is found missing from what it wrote, and set right in the same transaction (see `early`).

Opening waits for the disk, since what follows cannot be taken back. Settling does not: until the next window
is open and on the disk, and with it the settling before it, nothing is handed over. So a database that loses
power leaves in doubt what a killed process does: one window.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from django.db import transaction

from notifyhub.messaging.engine.arrays import Bigints, Octets, Texts
from notifyhub.messaging.engine.early import COUNTED, EarlyRow, amend
from notifyhub.messaging.engine.lease import LeasedBatch
from notifyhub.messaging.engine.statements import prepared
from notifyhub.messaging.engine.write_sql import COUNTERS, write_sql
from notifyhub.messaging.models import Delivery, DeliveryEvent

State = Delivery.State
Kind = DeliveryEvent.Kind

# Batch, state, reason, tries, account, kind and code of a verdict.
_Common = tuple[int, int, str, int, int, str, str]


@dataclass(kw_only=True, slots=True)
class Verdict:
    """What becomes of one row. State PLANNED with a `delay` puts it off into a side batch."""

    row: int
    state: int
    kind: str
    reason: str = ""
    tries: int = 0
    account_id: int | None = None
    ref: str = ""
    code: str = ""
    detail: str = ""
    delay: float | None = None


@dataclass(kw_only=True)
class BatchWrite:
    """The new marks of one batch and the verdicts on its rows.

    Rows that are opened go through `account_id`, and `copies` keeps what they say: with the opening, so that
    a message in doubt can be shown too. It costs what it would cost with the settling.
    """

    batch: LeasedBatch
    cursor: int
    open_to: int
    account_id: int | None = None
    verdicts: list[Verdict] = field(default_factory=list)
    # The rows that a receipt had moved before, known once it is written.
    early: set[int] = field(default_factory=set)
    copies: list[tuple[int, bytes]] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the counters to add."""
        counts = dict.fromkeys(COUNTERS, 0)
        for state, rows in Counter([one.state for one in self.verdicts]).items():
            counts[COUNTED.get(state, "deferred")] += rows
            if state == State.DELIVERED:
                counts["delivered"] += rows
        return counts

    def reasons(self) -> dict[str, int]:
        """Return how often each reason comes with the verdicts."""
        given = [one.reason for one in self.verdicts if one.reason and one.state != State.PLANNED]
        return dict(Counter(given))

    def sides(self) -> list[dict[str, Any]]:
        """Return the side batches: rows that wait equally long together."""
        groups: dict[tuple[float, str], list[int]] = {}
        for verdict in self.verdicts:
            if verdict.state == State.PLANNED:
                why = verdict.code if verdict.kind == Kind.DELAYED else ""
                groups.setdefault((verdict.delay or 0.0, why), []).append(verdict.row)
        return [
            {"ids": sorted(ids), "delay": delay, "waits_for": why} for (delay, why), ids in groups.items()
        ]


def write_window(writes: list[BatchWrite], *, worker: str, seconds: float, lazy: bool = False) -> set[int]:
    """Write these batches; return the ids of those that were still ours, and follow them in memory.

    `lazy` does not wait for the disk, which is for settling only. A write that moves the cursor can be
    repeated without harm: the second finds the cursor moved.
    """
    batches: list[dict[str, Any]] = []
    # What many rows of a window have in common travels once.
    groups: dict[_Common, list[Verdict]] = {}
    copy_batches, copy_rows, copies = Bigints(), Bigints(), Octets()
    for write in writes:
        number = write.batch.id
        batches.append(
            {
                "id": number,
                "epoch": write.batch.epoch,
                "was": write.batch.cursor,
                "cursor": write.cursor,
                "open_to": write.open_to,
                "account": write.account_id or 0,
                "reasons": write.reasons(),
                "side": write.sides(),
                **write.counts(),
            }
        )
        for one in write.verdicts:
            common = (number, one.state, one.reason, one.tries, one.account_id or 0, one.kind, one.code)
            groups.setdefault(common, []).append(one)
        copy_batches += [number] * len(write.copies)
        copy_rows += [row for row, _ in write.copies]
        copies += [copy for _, copy in write.copies]
    statement = write_sql(
        one=len(batches) == 1,
        reasons=any(one["reasons"] for one in batches),
        verdicts=min(len(groups), 2),
        delivered=any(one[1] == State.DELIVERED for one in groups),
        copies=bool(copies),
        sides=any(one["side"] for one in batches),
    )
    values: dict[str, Any] = {
        "worker": worker[:120],
        "seconds": seconds,
        "lazy": lazy,
        "dispatch": writes[0].batch.dispatch_id,
        "copy_batch": copy_batches,
        "copy_row": copy_rows,
        "copy": copies,
        **_marks_of(batches),
        **_verdicts_of(groups),
    }
    with transaction.atomic(savepoint=False), prepared() as cursor:
        cursor.execute(statement, values)
        written = {number: ids for number, _, ids in cursor.fetchall()}
        for write in writes:
            ids = written.get(write.batch.id)
            if ids is not None:
                write.early = {one.row for one in write.verdicts}.difference(ids)
            if write.early:
                _amend(write, write.early)
    for write in writes:
        if write.batch.id in written:
            write.batch.cursor = write.cursor
    return set(written)


def _marks_of(batches: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the parameters of the batches: of one its own, of several a table."""
    if len(batches) > 1:
        return {"batches": json.dumps(batches)}
    (one,) = batches
    told = one | {"reasons": json.dumps(one["reasons"]), "side": json.dumps(one["side"])}
    return {f"the_{name}": value for name, value in told.items()}


def _verdicts_of(groups: dict[_Common, list[Verdict]]) -> dict[str, Any]:
    """Return the parameters of the verdicts: the rows of each beside each other, and what each says."""
    if not groups:
        return {}
    every = [one for group in groups.values() for one in group]
    rows: dict[str, Any] = {
        "row": Bigints(one.row for one in every),
        "ref": Texts(_flat_all([one.ref for one in every], 120)),
        "detail": Texts(_flat_all([one.detail for one in every], 300)),
    }
    batch, state, reason, tries, account, kind, code = zip(*groups, strict=True)
    codes = [_flat(one, 40) for one in code]
    if len(groups) == 1:
        common = (batch[0], int(state[0]), str(reason[0]), tries[0], account[0], str(kind[0]), codes[0])
        names = ("batch", "state", "reason", "tries", "account", "kind", "code")
        return rows | dict(zip(names, common, strict=True))
    last = list(accumulate(map(len, groups.values())))
    return rows | {
        "batch": Bigints(batch),
        "state": Bigints(state),
        "reason": Texts(reason),
        "tries": Bigints(tries),
        "account": Bigints(account),
        "kind": Texts(kind),
        "code": Texts(codes),
        "first": Bigints([1, *(one + 1 for one in last[:-1])]),
        "last": Bigints(last),
    }


def _amend(write: BatchWrite, ids: set[int]) -> None:
    amend(
        batch_id=write.batch.id,
        dispatch_id=write.batch.dispatch_id,
        rows={
            one.row: EarlyRow(
                state=int(one.state),
                reason=str(one.reason),
                tries=one.tries,
                account_id=one.account_id,
                counted=COUNTED.get(State(one.state), "deferred"),
            )
            for one in write.verdicts
            if one.row in ids
        },
    )


def _flat_all(texts: list[str], length: int) -> list[str]:
    """Return vendors' words as `_flat` makes them; most are well as they are."""
    if "\x00" not in "".join(texts) and max(map(len, texts), default=0) <= length:
        return texts
    return [_flat(one, length) for one in texts]


def _flat(text: str, length: int) -> str:
    """Return a vendor's words cut to the column, without the one character that PostgreSQL refuses."""
    return text.replace("\x00", "")[:length]
