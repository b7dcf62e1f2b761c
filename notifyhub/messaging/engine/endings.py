"""Bringing a batch to its end without sending: its dispatch was cancelled, or it expired."""

from typing import Any

from django.db import connection

from notifyhub.messaging.engine.judge import IN_DOUBT
from notifyhub.messaging.engine.lease import LeasedBatch
from notifyhub.messaging.models import Delivery, DeliveryEvent

_END = f"""
WITH fence AS (
    SELECT t.id, t.dispatch_id, t.cursor, t.hi, t.ids FROM messaging_batch t
    WHERE t.id = %(batch)s AND t.epoch = %(epoch)s AND t.state = 1 FOR UPDATE
), rows AS (
    -- A row whose first try may have arrived was not stopped in time: nobody knows.
    UPDATE messaging_delivery d
    SET state = CASE WHEN d.reason = ANY(%(doubt)s) THEN {Delivery.State.UNKNOWN.value} ELSE %(state)s END,
        -- Whatever else it was marked with was about a next try.
        reason = CASE WHEN d.reason = ANY(%(doubt)s) THEN d.reason ELSE '' END,
        settled_at = clock_timestamp()
    FROM fence
    WHERE d.dispatch_id = fence.dispatch_id AND d.id > fence.cursor AND d.id <= fence.hi AND d.state = 0
      AND (fence.ids IS NULL OR d.id = ANY(fence.ids))
    RETURNING d.dispatch_id, d.id, d.state, d.reason
), events AS (
    INSERT INTO messaging_deliveryevent
        (at, dispatch_id, delivery_id, kind, provider_ref, code, detail, worker)
    SELECT clock_timestamp(), dispatch_id, id,
           CASE WHEN state = %(state)s THEN %(kind)s ELSE '{DeliveryEvent.Kind.UNKNOWN.value}' END,
           '', CASE WHEN state = %(state)s THEN '' ELSE reason END, '', %(worker)s FROM rows
), doubts AS (
    SELECT reason, count(*) AS n FROM rows WHERE state <> %(state)s GROUP BY reason
)
UPDATE messaging_batch t
SET cursor = t.hi, open_to = t.hi, state = 2, owner = '', lease_until = NULL,
    {{counter}} = t.{{counter}} + (SELECT count(*) FROM rows WHERE state = %(state)s),
    unknown = t.unknown + (SELECT count(*) FROM rows WHERE state <> %(state)s),
    reasons = CASE WHEN NOT EXISTS (SELECT 1 FROM doubts) THEN t.reasons ELSE (
        SELECT jsonb_object_agg(key, n) FROM (
            SELECT key, sum(n) AS n FROM (
                SELECT key, value::bigint AS n FROM jsonb_each_text(t.reasons) UNION ALL SELECT * FROM doubts
            ) both_of GROUP BY key
        ) added) END
FROM fence WHERE t.id = fence.id
RETURNING (SELECT count(*) FROM rows)
"""


def end_batch(batch: LeasedBatch, *, cancelled: bool, worker: str) -> int:
    """Settle what is left of the batch as cancelled or expired; return how many rows that was.

    A row whose first try is in doubt ends as unknown.
    """
    state, kind, counter = (
        (Delivery.State.CANCELLED, DeliveryEvent.Kind.CANCELLED, "cancelled")
        if cancelled
        else (Delivery.State.EXPIRED, DeliveryEvent.Kind.EXPIRED, "expired")
    )
    values: dict[str, Any] = {
        "batch": batch.id,
        "epoch": batch.epoch,
        "state": state.value,
        "kind": kind.value,
        "worker": worker,
        "doubt": sorted(IN_DOUBT),
    }
    with connection.cursor() as cursor:
        cursor.execute(_END.format(counter=counter), values)
        found = cursor.fetchone()
    batch.cursor = batch.hi
    return int(found[0]) if found else 0
