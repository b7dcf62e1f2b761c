"""What providers report later: merged into the ledger by rank, so order and repetition do not matter."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notifyhub.core.errors import Refused
from notifyhub.messaging.engine.chain import wake_for_failures
from notifyhub.messaging.engine.counts import fold_counts
from notifyhub.messaging.models import Delivery, DeliveryEvent, Dispatch
from notifyhub.messaging.services.receipts import sql
from notifyhub.staff.services import audit

State = Delivery.State
Kind = DeliveryEvent.Kind

# Which counter of its batch a state is counted in; what was handed over stays handed over.
COUNTED: dict[int, str] = {
    State.UNKNOWN: "unknown",
    State.SENT: "sent",
    State.DELIVERED: "sent",
    State.FAILED: "failed",
    State.BOUNCED: "failed",
}
REPORTED: dict[str, int] = {
    Kind.SENT: State.SENT,
    Kind.FAILED: State.FAILED,
    Kind.DELIVERED: State.DELIVERED,
    Kind.BOUNCED: State.BOUNCED,
}


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """One report about one message. `kind` is sent, delivered, failed or bounced."""

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
    if current in (State.SKIPPED, State.EXPIRED, State.CANCELLED):
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

    Doubled, late and reversed reports end in the same state. Each is kept as an event.
    """
    known = [one for one in receipts if one.kind in REPORTED]
    if not known:
        return 0
    with connection.cursor() as cursor:
        wanted = sorted({(one.dispatch_id, one.delivery_id) for one in known})
        cursor.execute(
            sql.LOCK, {"dispatches": [pair[0] for pair in wanted], "ids": [pair[1] for pair in wanted]}
        )
        before = {(row[0], row[1]): (row[2], row[3]) for row in cursor.fetchall()}
        after = {key: state for key, (state, _reason) in before.items()}
        moments: dict[tuple[int, int], datetime] = {}
        events = []
        for one in known:
            key = (one.dispatch_id, one.delivery_id)
            if key not in after:
                continue
            state = merge(after[key], REPORTED[one.kind])
            if state != after[key]:
                after[key], moments[key] = state, one.at
            events.append(one)
        moves = [
            Move(
                dispatch_id=key[0],
                delivery_id=key[1],
                before=state,
                after=after[key],
                at=moments[key],
                reason_before=reason,
                reason_after=_reason_of(after[key]),
            )
            for key, (state, reason) in before.items()
            if after[key] != state
        ]
        _write(cursor, moves)
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
        )
        for one in events
    )
    fold_counts(sorted({move.dispatch_id for move in moves}))
    return len(moves)


def _reason_of(state: int) -> str:
    return Delivery.Reason.REJECTED.value if COUNTED[state] == "failed" else ""


def _write(cursor: Any, moves: list[Move]) -> None:
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


def _count_change(before: int, after: int) -> dict[str, int]:
    """Return what moves between the counters of the batch.

    A row that is still planned is in its worker's hands: settling will count it as handed over.
    """
    change = dict.fromkeys(("unknown", "sent", "failed", "delivered"), 0)
    change[COUNTED.get(before, "sent")] -= 1
    change[COUNTED[after]] += 1
    change["delivered"] += (after == State.DELIVERED) - (before == State.DELIVERED)
    return change


@transaction.atomic
def settle_unknown(*, dispatch_id: int, delivery_id: int, sent: bool, reason: str) -> Delivery:
    """Let a person decide what became of a message in doubt; return it.

    Raises Refused if the message is not in doubt or no reason is given. Nothing is sent again.
    """
    if not reason.strip():
        raise Refused(_("Say how you know."), field="reason")
    rows = Delivery.objects.select_for_update().filter(dispatch_id=dispatch_id, pk=delivery_id)
    row = rows.first()
    if row is None or row.state != State.UNKNOWN:
        raise Refused(_("This message is not in doubt any more."), code="state")
    to = State.SENT if sent else State.FAILED
    now = timezone.now()
    move = Move(
        dispatch_id=dispatch_id,
        delivery_id=delivery_id,
        before=State.UNKNOWN,
        after=to,
        at=now,
        reason_before=row.reason,
        reason_after=_reason_of(to),
    )
    with connection.cursor() as cursor:
        _write(cursor, [move])
    DeliveryEvent.objects.create(
        at=now,
        dispatch_id=dispatch_id,
        delivery_id=delivery_id,
        kind=Kind.SETTLED,
        code="sent" if sent else "failed",
        detail=reason.strip()[:300],
    )
    fold_counts([dispatch_id])
    dispatch = Dispatch.objects.get(pk=dispatch_id)
    reference = f"{dispatch_id}-{delivery_id}"
    audit.record(verb="settle_message", obj=dispatch, label=reference, reason=reason, sent=sent)
    # By both parts of the key: a look-up by id alone would read every partition.
    return Delivery.objects.get(dispatch_id=dispatch_id, pk=delivery_id)
