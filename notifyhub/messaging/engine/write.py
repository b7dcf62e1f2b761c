"""Writing what became of a window: one statement, fenced by the epoch of the lease.

Rows, events, copies, side batches, counters and cursor change together or not at all. A worker whose lease
was taken away finds that its epoch is gone and changes nothing.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from notifyhub.messaging.engine.lease import LeasedBatch
from notifyhub.messaging.models import Delivery, DeliveryEvent

State = Delivery.State
Kind = DeliveryEvent.Kind

_COUNTED = {
    State.SENT: "sent",
    State.DELIVERED: "sent",
    State.FAILED: "failed",
    State.SKIPPED: "skipped",
    State.UNKNOWN: "unknown",
    State.EXPIRED: "expired",
    State.CANCELLED: "cancelled",
}
COUNTERS = ("sent", "delivered", "failed", "skipped", "unknown", "expired", "cancelled", "deferred")

# Merged by rank: a receipt that came first is not overwritten.
_WRITE = f"""
WITH b AS (
    SELECT * FROM jsonb_to_recordset(%(batches)s::jsonb) AS b(
        id bigint, epoch int, was bigint, cursor bigint, open_to bigint, reasons jsonb, side jsonb,
        {", ".join(f"{name} int" for name in COUNTERS)})
), fence AS (
    UPDATE messaging_batch t
    SET cursor = b.cursor, open_to = b.open_to, reasons = b.reasons,
        {", ".join(f"{name} = t.{name} + b.{name}" for name in COUNTERS)},
        tries = CASE WHEN b.cursor > t.cursor THEN 0 ELSE t.tries END,
        state = CASE WHEN b.cursor >= t.hi THEN 2 ELSE t.state END,
        owner = CASE WHEN b.cursor >= t.hi THEN '' ELSE t.owner END,
        lease_until = CASE WHEN b.cursor >= t.hi THEN NULL
                           ELSE clock_timestamp() + make_interval(secs => %(seconds)s) END,
        check_at = CASE WHEN b.cursor >= t.hi AND t.watch THEN clock_timestamp() ELSE t.check_at END
    FROM b WHERE t.id = b.id AND t.epoch = b.epoch AND t.cursor = b.was AND t.state = 1
    RETURNING t.id, t.dispatch_id, t.channel, t.priority, t.step, t.watch, t.chained, b.side
), r AS (
    SELECT r.*, fence.dispatch_id
    FROM unnest(%(batch)s::bigint[], %(row)s::bigint[], %(state)s::smallint[], %(reason)s::text[],
                %(tries)s::smallint[], %(account)s::int[], %(kind)s::text[], %(ref)s::text[],
                %(code)s::text[], %(detail)s::text[], %(copy)s::bytea[])
        AS r(batch_id, id, state, reason, tries, account_id, kind, ref, code, detail, copy)
    JOIN fence ON fence.id = r.batch_id
), rows AS (
    UPDATE messaging_delivery d
    SET state = greatest(d.state, r.state), tries = r.tries,
        reason = CASE WHEN r.state >= d.state THEN r.reason ELSE d.reason END,
        account_id = coalesce(r.account_id, d.account_id),
        settled_at = CASE WHEN r.state > 0 THEN coalesce(d.settled_at, clock_timestamp()) END,
        delivered_at = CASE WHEN r.state = {State.DELIVERED.value}
                            THEN coalesce(d.delivered_at, clock_timestamp()) ELSE d.delivered_at END
    FROM r WHERE d.dispatch_id = r.dispatch_id AND d.id = r.id
), events AS (
    INSERT INTO messaging_deliveryevent
        (at, dispatch_id, delivery_id, account_id, kind, provider_ref, code, detail, worker)
    SELECT clock_timestamp(), dispatch_id, id, account_id, kind, ref, code, detail, %(worker)s FROM r
    UNION ALL
    SELECT clock_timestamp(), dispatch_id, id, account_id, '{Kind.DELIVERED.value}', ref, '', '', %(worker)s
    FROM r WHERE state = {State.DELIVERED.value}
), copies AS (
    INSERT INTO messaging_messagecopy (at, dispatch_id, delivery_id, payload)
    SELECT clock_timestamp(), dispatch_id, id, copy FROM r WHERE copy IS NOT NULL
), sides AS (
    INSERT INTO messaging_batch (dispatch_id, channel, priority, lo, hi, ids, not_before, cursor, open_to,
        state, epoch, tries, owner, sent, failed, skipped, unknown, delivered, expired, cancelled, deferred,
        reasons, step, watch, chained)
    SELECT fence.dispatch_id, fence.channel, fence.priority, s.ids[1], s.ids[array_upper(s.ids, 1)], s.ids,
           clock_timestamp() + make_interval(secs => s.delay), s.ids[1] - 1, s.ids[1] - 1,
           0, 0, 0, '', 0, 0, 0, 0, 0, 0, 0, 0, '{{}}', fence.step, fence.watch, fence.chained
    FROM fence, jsonb_to_recordset(fence.side) AS s(ids bigint[], delay double precision)
)
SELECT id FROM fence
"""


@dataclass(kw_only=True)
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
    copy: bytes | None = None
    delay: float | None = None


@dataclass(kw_only=True)
class BatchWrite:
    """The new marks of one batch and the verdicts on its rows."""

    batch: LeasedBatch
    cursor: int
    open_to: int
    verdicts: list[Verdict] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the counters to add."""
        counts = dict.fromkeys(COUNTERS, 0)
        for verdict in self.verdicts:
            name = _COUNTED.get(State(verdict.state), "deferred")
            counts[name] += 1
            if verdict.state == State.DELIVERED:
                counts["delivered"] += 1
        return counts

    def reasons(self) -> dict[str, int]:
        """Return the batch's reasons with those of the verdicts added."""
        reasons = dict(self.batch.reasons)
        for verdict in self.verdicts:
            if verdict.reason and verdict.state != State.PLANNED:
                reasons[verdict.reason] = reasons.get(verdict.reason, 0) + 1
        return reasons

    def sides(self) -> list[dict[str, Any]]:
        """Return the side batches: rows that wait equally long together."""
        groups: dict[float, list[int]] = {}
        for verdict in self.verdicts:
            if verdict.state == State.PLANNED:
                groups.setdefault(verdict.delay or 0.0, []).append(verdict.row)
        return [{"ids": sorted(ids), "delay": delay} for delay, ids in groups.items()]


def write_window(writes: list[BatchWrite], *, worker: str, seconds: float) -> set[int]:
    """Write these batches; return the ids of those that were still ours, and follow them in memory.

    A write that moves the cursor can be repeated without harm: the second finds the cursor moved.
    """
    batches, rows = [], []
    for write in writes:
        batches.append(
            {
                "id": write.batch.id,
                "epoch": write.batch.epoch,
                "was": write.batch.cursor,
                "cursor": write.cursor,
                "open_to": write.open_to,
                "reasons": write.reasons(),
                "side": write.sides(),
                **write.counts(),
            }
        )
        rows += [(write.batch.id, verdict) for verdict in write.verdicts]
    values: dict[str, Any] = {
        "batches": json.dumps(batches),
        "worker": worker[:120],
        "seconds": seconds,
        "batch": [batch for batch, _ in rows],
        "row": [verdict.row for _, verdict in rows],
        "state": [int(verdict.state) for _, verdict in rows],
        "reason": [str(verdict.reason) for _, verdict in rows],
        "tries": [verdict.tries for _, verdict in rows],
        "account": [verdict.account_id for _, verdict in rows],
        "kind": [str(verdict.kind) for _, verdict in rows],
        "ref": [_flat(verdict.ref, 120) for _, verdict in rows],
        "code": [_flat(verdict.code, 40) for _, verdict in rows],
        "detail": [_flat(verdict.detail, 300) for _, verdict in rows],
        "copy": [verdict.copy for _, verdict in rows],
    }
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, values)
        ours = {row[0] for row in cursor.fetchall()}
    for write in writes:
        if write.batch.id in ours:
            write.batch.reasons = write.reasons()
            write.batch.cursor = write.cursor
    return ours


def _flat(text: str, length: int) -> str:
    """Return a vendor's words cut to the column, without the one character that PostgreSQL refuses."""
    return text.replace("\x00", "")[:length]
