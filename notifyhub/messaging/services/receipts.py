"""What providers report later: merged into the ledger by rank, so order and repetition do not matter."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from notifyhub.core.errors import Refused
from notifyhub.messaging.engine.counts import fold_counts
from notifyhub.messaging.models import Delivery, DeliveryEvent, Dispatch
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


_LOCK = """
SELECT d.dispatch_id, d.id, d.state FROM messaging_delivery d
JOIN unnest(%(dispatches)s::bigint[], %(ids)s::bigint[]) AS w(dispatch_id, id)
  ON d.dispatch_id = w.dispatch_id AND d.id = w.id
ORDER BY d.dispatch_id, d.id FOR UPDATE OF d
"""

_MOVE = """
UPDATE messaging_delivery d
SET state = w.state, settled_at = coalesce(d.settled_at, w.at),
    reason = CASE WHEN w.state IN (20, 40) THEN '' ELSE d.reason END,
    delivered_at = CASE WHEN w.state = 40 THEN coalesce(d.delivered_at, w.at) ELSE d.delivered_at END
FROM unnest(%(dispatches)s::bigint[], %(ids)s::bigint[], %(states)s::smallint[], %(ats)s::timestamptz[])
    AS w(dispatch_id, id, state, at)
WHERE d.dispatch_id = w.dispatch_id AND d.id = w.id
"""

# The batch that a row was planned in counts it, also when a side batch sent it.
_COUNT = """
UPDATE messaging_batch b
SET unknown = b.unknown + w.unknown, sent = b.sent + w.sent, failed = b.failed + w.failed,
    delivered = b.delivered + w.delivered
FROM (
    SELECT m.id AS batch_id, sum(c.unknown) AS unknown, sum(c.sent) AS sent, sum(c.failed) AS failed,
           sum(c.delivered) AS delivered
    FROM unnest(%(dispatches)s::bigint[], %(ids)s::bigint[], %(unknown)s::int[], %(sent)s::int[],
                %(failed)s::int[], %(delivered)s::int[])
        AS c(dispatch_id, id, unknown, sent, failed, delivered)
    JOIN messaging_batch m ON m.dispatch_id = c.dispatch_id AND m.ids IS NULL AND c.id BETWEEN m.lo AND m.hi
    GROUP BY m.id
) w WHERE b.id = w.batch_id
"""


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
            _LOCK, {"dispatches": [pair[0] for pair in wanted], "ids": [pair[1] for pair in wanted]}
        )
        before = {(dispatch_id, number): state for dispatch_id, number, state in cursor.fetchall()}
        after = dict(before)
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
        changed = [key for key in before if after[key] != before[key]]
        _write(cursor, changed, before, after, moments)
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
    if changed:
        fold_counts(sorted({dispatch_id for dispatch_id, _id in changed}))
    return len(changed)


def _write(
    cursor: Any,
    changed: list[tuple[int, int]],
    before: dict[tuple[int, int], int],
    after: dict[tuple[int, int], int],
    moments: dict[tuple[int, int], datetime],
) -> None:
    if not changed:
        return
    scope: dict[str, Any] = {
        "dispatches": [key[0] for key in changed],
        "ids": [key[1] for key in changed],
        "states": [int(after[key]) for key in changed],
        "ats": [moments[key] for key in changed],
    }
    cursor.execute(_MOVE, scope)
    moves: dict[str, list[int]] = defaultdict(list)
    for key in changed:
        for name, change in _count_change(before[key], after[key]).items():
            moves[name].append(change)
    cursor.execute(_COUNT, {**scope, **moves})


def _count_change(before: int, after: int) -> dict[str, int]:
    """Return what moves between the counters of the batch.

    A row that is still planned is in its worker's hands: settling counts it as handed over.
    """
    change = dict.fromkeys(("unknown", "sent", "failed", "delivered"), 0)
    if before != State.PLANNED:
        change[COUNTED[before]] -= 1
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
    row = Delivery.objects.filter(dispatch_id=dispatch_id, pk=delivery_id)
    key = (dispatch_id, delivery_id)
    to = State.SENT if sent else State.FAILED
    moved = row.filter(state=State.UNKNOWN).update(state=to, reason="" if sent else Delivery.Reason.REJECTED)
    if not moved:
        raise Refused(_("This message is not in doubt any more."), code="state")
    change = _count_change(State.UNKNOWN, to)
    with connection.cursor() as cursor:
        scope: dict[str, Any] = {"dispatches": [key[0]], "ids": [key[1]]}
        cursor.execute(_COUNT, {**scope, **{name: [number] for name, number in change.items()}})
        cursor.execute("SELECT statement_timestamp()")
        now = cursor.fetchone()[0]
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
    return row.get()
