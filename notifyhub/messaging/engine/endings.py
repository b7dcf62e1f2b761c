"""Bringing a batch to its end without sending: its dispatch was cancelled, or it expired."""

from typing import Any

from django.db import connection

from notifyhub.messaging.engine.lease import LeasedBatch
from notifyhub.messaging.models import Delivery, DeliveryEvent

_END = """
WITH fence AS (
    SELECT t.id, t.dispatch_id, t.cursor, t.hi, t.ids FROM messaging_batch t
    WHERE t.id = %(batch)s AND t.epoch = %(epoch)s AND t.state = 1 FOR UPDATE
), rows AS (
    UPDATE messaging_delivery d SET state = %(state)s, settled_at = clock_timestamp()
    FROM fence
    WHERE d.dispatch_id = fence.dispatch_id AND d.id > fence.cursor AND d.id <= fence.hi AND d.state = 0
      AND (fence.ids IS NULL OR d.id = ANY(fence.ids))
    RETURNING d.dispatch_id, d.id
), events AS (
    INSERT INTO messaging_deliveryevent
        (at, dispatch_id, delivery_id, kind, provider_ref, code, detail, worker)
    SELECT clock_timestamp(), dispatch_id, id, %(kind)s, '', '', '', %(worker)s FROM rows
)
UPDATE messaging_batch t
SET cursor = t.hi, open_to = t.hi, state = 2, owner = '', lease_until = NULL,
    {counter} = t.{counter} + (SELECT count(*) FROM rows)
FROM fence WHERE t.id = fence.id
RETURNING (SELECT count(*) FROM rows)
"""


def end_batch(batch: LeasedBatch, *, cancelled: bool, worker: str) -> int:
    """Settle what is left of the batch as cancelled or expired; return how many rows that was."""
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
    }
    with connection.cursor() as cursor:
        cursor.execute(_END.format(counter=counter), values)
        found = cursor.fetchone()
    batch.cursor = batch.hi
    return int(found[0]) if found else 0
