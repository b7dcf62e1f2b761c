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
_Common = tuple[int, int, str, int, int | None, str, str]


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
    # What most rows of a window have in common travels once.
    places: dict[_Common, int] = {}
    places_of, numbers = Bigints(), Bigints()
    refs, details = Texts(), Texts()
    copy_batches, copy_rows, copies = Bigints(), Bigints(), Octets()
    for write in writes:
        batches.append(
            {
                "id": write.batch.id,
                "epoch": write.batch.epoch,
                "was": write.batch.cursor,
                "cursor": write.cursor,
                "open_to": write.open_to,
                "account": write.account_id,
                "reasons": write.reasons(),
                "side": write.sides(),
                **write.counts(),
            }
        )
        number, verdicts = write.batch.id, write.verdicts
        for one in verdicts:
            common = (number, one.state, one.reason, one.tries, one.account_id, one.kind, one.code)
            places_of.append(places.setdefault(common, len(places) + 1))
        numbers += [one.row for one in verdicts]
        refs += _flat_all([one.ref for one in verdicts], 120)
        details += _flat_all([one.detail for one in verdicts], 300)
        copy_batches += [number] * len(write.copies)
        copy_rows += [row for row, _ in write.copies]
        copies += [copy for _, copy in write.copies]
    batch, state, reason, tries, account, kind, code = zip(*places, strict=True) if places else ((),) * 7
    values: dict[str, Any] = {
        "batches": json.dumps(batches),
        "worker": worker[:120],
        "seconds": seconds,
        "lazy": lazy,
        "batch": Bigints(batch),
        "state": Bigints(state),
        "reason": Texts(reason),
        "tries": Bigints(tries),
        "account": Bigints(one or 0 for one in account),
        "kind": Texts(kind),
        "code": Texts(_flat(one, 40) for one in code),
        "verdict": places_of,
        "row": numbers,
        "ref": refs,
        "detail": details,
        "copy_batch": copy_batches,
        "copy_row": copy_rows,
        "copy": copies,
    }
    with transaction.atomic(savepoint=False), prepared() as cursor:
        statement = write_sql(
            verdicts=bool(numbers), copies=bool(copies), sides=any(one["side"] for one in batches)
        )
        cursor.execute(statement, values)
        early = {number: ids for number, _, ids in cursor.fetchall()}
        for write in writes:
            if early.get(write.batch.id):
                write.early = set(early[write.batch.id])
                _amend(write, write.early)
    for write in writes:
        if write.batch.id in early:
            write.batch.cursor = write.cursor
    return set(early)


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
