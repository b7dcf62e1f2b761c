"""What providers report later: merged into the ledger by rank, so order and repetition do not matter."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from notifyhub.messaging.engine.chain import wake_for_failures
from notifyhub.messaging.engine.counts import fold_counts
from notifyhub.messaging.engine.early import COUNTED
from notifyhub.messaging.engine.returns import give_back_for
from notifyhub.messaging.models import Delivery, DeliveryEvent
from notifyhub.messaging.services.receipts import sql
from notifyhub.messaging.services.receipts.effects import take_effect

State = Delivery.State
Kind = DeliveryEvent.Kind

# What each report proves. Who opens, reads, follows a link or complains has got the message.
REPORTED: dict[str, int] = {
    Kind.SENT: State.SENT,
    Kind.FAILED: State.FAILED,
    Kind.DELIVERED: State.DELIVERED,
    Kind.BOUNCED: State.BOUNCED,
    Kind.READ: State.DELIVERED,
    Kind.OPENED: State.DELIVERED,
    Kind.CLICKED: State.DELIVERED,
    Kind.COMPLAINED: State.DELIVERED,
    Kind.UNSUBSCRIBED: State.DELIVERED,
}
# An image that a mail program fetches is not a pair of eyes. Who complains or leaves has seen it: no chain
# follows them to the next channel.
EYES = frozenset(one.value for one in (Kind.READ, Kind.CLICKED, Kind.COMPLAINED, Kind.UNSUBSCRIBED))
# Said once, however often it is reported: rates are counted from these events.
ONCE = frozenset((Kind.COMPLAINED.value, Kind.UNSUBSCRIBED.value))


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """One report about one message; `kind` is one of REPORTED.

    `bounced` says that the contact point does not exist: it is given up.
    """

    dispatch_id: int
    delivery_id: int
    kind: str
    at: datetime
    account_id: int | None = None
    provider_ref: str = ""
    code: str = ""
    detail: str = ""


def merge(current: int, reported: int) -> int:
    """Return the state after a report: the higher rank wins, and what was never sent stays so."""
    if current in (State.SKIPPED, State.EXPIRED, State.CANCELLED, State.GATHERED):
        return current
    return max(current, reported)


@dataclass(frozen=True, kw_only=True)
class Move:
    """A row that changes its state, with what it was and what it becomes."""

    dispatch_id: int
    delivery_id: int
    before: int
    after: int
    at: datetime
    reason_before: str
    reason_after: str


@transaction.atomic
def record_receipts(receipts: Sequence[Receipt]) -> int:
    """Merge reports into the ledger; return how many rows changed their state.

    Doubled, late, reversed and too early reports end in the same state, and each is kept as an event. What
    they mean for the customer takes effect with them: a bounce suppresses the contact point, a complaint
    suppresses promotions to it and opts out of the topic, as an unsubscription does.
    """
    known = [one for one in receipts if one.kind in REPORTED]
    if not known:
        return 0
    with connection.cursor() as cursor:
        before = _lock(cursor, known)
        known = [one for one in known if (one.dispatch_id, one.delivery_id) in before]
        moves = _moves(before, known)
        write_moves(cursor, moves)
        _note_eyes(cursor, known)
    told = _new_events(known)
    take_effect([one for one in known if one.kind not in ONCE or one in told])
    DeliveryEvent.objects.bulk_create(
        DeliveryEvent(
            at=one.at,
            dispatch_id=one.dispatch_id,
            delivery_id=one.delivery_id,
            kind=one.kind,
            account_id=one.account_id,
            provider_ref=one.provider_ref[:120],
            code=one.code[:40],
            detail=one.detail[:300],
            told_at=Now(),
        )
        for one in told
    )
    fold_counts(sorted({move.dispatch_id for move in moves}))
    return len(moves)


def _lock(cursor: Any, receipts: Sequence[Receipt]) -> dict[tuple[int, int], tuple[int, str]]:
    """Lock the rows that are reported about; return {(dispatch, message): (state, reason)}."""
    wanted = sorted({(one.dispatch_id, one.delivery_id) for one in receipts})
    scope = {"dispatches": [pair[0] for pair in wanted], "ids": [pair[1] for pair in wanted]}
    cursor.execute(sql.LOCK_BATCHES, scope)
    cursor.execute(sql.LOCK, scope)
    return {(row[0], row[1]): (row[2], row[3]) for row in cursor.fetchall()}


def _moves(before: dict[tuple[int, int], tuple[int, str]], receipts: Sequence[Receipt]) -> list[Move]:
    """Return the rows whose state changes by these reports, taken together."""
    after = {key: state for key, (state, _reason) in before.items()}
    moments: dict[tuple[int, int], datetime] = {}
    for one in receipts:
        key = (one.dispatch_id, one.delivery_id)
        state = merge(after[key], REPORTED[one.kind])
        if state != after[key]:
            after[key], moments[key] = state, one.at
    return [
        Move(
            dispatch_id=key[0],
            delivery_id=key[1],
            before=state,
            after=after[key],
            at=moments[key],
            reason_before=reason,
            reason_after=reason_of(after[key]),
        )
        for key, (state, reason) in before.items()
        if after[key] != state
    ]


def _note_eyes(cursor: Any, receipts: Sequence[Receipt]) -> None:
    seen = [one for one in receipts if one.kind in EYES]
    if seen:
        cursor.execute(
            sql.READ,
            {
                "dispatches": [one.dispatch_id for one in seen],
                "ids": [one.delivery_id for one in seen],
                "ats": [one.at for one in seen],
            },
        )


def _new_events(receipts: Sequence[Receipt]) -> list[Receipt]:
    """Return the reports to keep as events: all, but a complaint or unsubscription only once."""
    once = [one for one in receipts if one.kind in ONCE]
    if not once:
        return list(receipts)
    told = set(
        DeliveryEvent.objects.filter(
            dispatch_id__in={one.dispatch_id for one in once},
            delivery_id__in={one.delivery_id for one in once},
            kind__in=ONCE,
        ).values_list("dispatch_id", "delivery_id", "kind")
    )
    kept = []
    for one in receipts:
        name = (one.dispatch_id, one.delivery_id, str(one.kind))
        if one.kind in ONCE:
            if name in told:
                continue
            told.add(name)
        kept.append(one)
    return kept


def reason_of(state: int) -> str:
    """Return the reason that a reported state gives a row."""
    return Delivery.Reason.REJECTED.value if COUNTED[state] == "failed" else ""


def write_moves(cursor: Any, moves: list[Move]) -> None:
    """Move the rows and the counters and reasons of their batches."""
    if not moves:
        return
    scope: dict[str, Any] = {
        "dispatches": [move.dispatch_id for move in moves],
        "ids": [move.delivery_id for move in moves],
    }
    cursor.execute(
        sql.MOVE,
        {
            **scope,
            "states": [int(move.after) for move in moves],
            "ats": [move.at for move in moves],
            "reasons": [move.reason_after for move in moves],
        },
    )
    changes: dict[str, list[int]] = defaultdict(list)
    for move in moves:
        for name, change in _count_change(move.before, move.after).items():
            changes[name].append(change)
    cursor.execute(sql.COUNT, {**scope, **changes})
    failed = [move for move in moves if COUNTED[move.after] == "failed"]
    wake_for_failures(
        dispatches=[move.dispatch_id for move in failed], ids=[move.delivery_id for move in failed]
    )
    told = [
        (move, reason, change)
        for move in moves
        for reason, change in ((move.reason_before, -1), (move.reason_after, 1))
        # The mark on a planned row is nobody's count yet.
        if reason and not (change < 0 and move.before == State.PLANNED)
    ]
    cursor.execute(
        sql.MOVED + sql.COUNT_REASONS,
        {
            "dispatches": [move.dispatch_id for move, _reason, _change in told],
            "ids": [move.delivery_id for move, _reason, _change in told],
            "reasons": [reason for _move, reason, _change in told],
            "changes": [change for _move, _reason, change in told],
        },
    )
    _give_back(moves)


def _give_back(moves: list[Move]) -> None:
    """Uncount those who got nothing after all: they may be written to instead."""
    lost: dict[int, list[int]] = defaultdict(list)
    for move in moves:
        if move.before in (State.UNKNOWN, State.SENT) and COUNTED[move.after] == "failed":
            lost[move.dispatch_id].append(move.delivery_id)
    for dispatch_id, ids in sorted(lost.items()):
        give_back_for(dispatch_id=dispatch_id, delivery_ids=sorted(ids))


def _count_change(before: int, after: int) -> dict[str, int]:
    """Return what moves between the counters of the batch; a row that is still planned is in none.

    If it is in a worker's hands, that worker will find it moved and count only the difference.
    """
    change = dict.fromkeys(("unknown", "sent", "failed", "delivered"), 0)
    if before != State.PLANNED:
        change[COUNTED[before]] -= 1
    change[COUNTED[after]] += 1
    change["delivered"] += (after == State.DELIVERED) - (before == State.DELIVERED)
    return change
