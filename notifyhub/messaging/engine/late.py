"""What a worker that lost its lease still learned: kept as events, never as states.

Somebody else holds its batch and has settled the rows as unknown, or sends them again. Its answers say what
became of the first try: they help whoever looks at a message in doubt, and receipts find them by the
provider's reference.
"""

import logging
from typing import Any

from django.db import InterfaceError, OperationalError, connection

from notifyhub.messaging.channels.base import LEASE_LOST
from notifyhub.messaging.engine.write import BatchWrite
from notifyhub.messaging.models import Delivery, DeliveryEvent

logger = logging.getLogger(__name__)

_NOTE = f"""
INSERT INTO messaging_deliveryevent
    (at, dispatch_id, delivery_id, account_id, kind, provider_ref, code, detail, worker)
SELECT clock_timestamp(), %(dispatch)s, l.id, l.account, '{DeliveryEvent.Kind.LATE.value}', l.ref, l.code,
       l.detail, %(worker)s
FROM unnest(%(rows)s::bigint[], %(accounts)s::int[], %(refs)s::text[], %(codes)s::text[],
            %(details)s::text[]) AS l(id, account, ref, code, detail)
-- A settling whose confirmation was lost and that was repeated looks alike, but the batch is still ours.
WHERE NOT EXISTS (SELECT 1 FROM messaging_batch t WHERE t.id = %(batch)s AND t.epoch = %(epoch)s)
"""


def note_late_answers(write: BatchWrite, *, worker: str) -> int:
    """Keep what was answered for rows that are not ours any more; return how many answers that were.

    Rows that were not handed over have no answer: their try was not counted.
    """
    tried = [one for one in write.verdicts if one.code != LEASE_LOST.code]
    if not tried:
        return 0
    values: dict[str, Any] = {
        "dispatch": write.batch.dispatch_id,
        "worker": worker[:120],
        "batch": write.batch.id,
        "epoch": write.batch.epoch,
        "rows": [one.row for one in tried],
        "accounts": [one.account_id for one in tried],
        "refs": [one.ref.replace("\x00", "")[:120] for one in tried],
        "codes": [Delivery.State(one.state).name.lower() for one in tried],
        "details": [f"{one.code} {one.detail}".strip().replace("\x00", "")[:300] for one in tried],
    }
    try:
        with connection.cursor() as cursor:
            cursor.execute(_NOTE, values)
            return int(cursor.rowcount)
    except (OperationalError, InterfaceError) as error:
        logger.warning("Late answers could not be kept (%s)", type(error).__name__)
        connection.close()
        return 0
