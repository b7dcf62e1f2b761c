"""Moving what the demo has sent to where it belongs in the past."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection

# Hand-over takes a moment and delivery a few more, differently for each row but the same each time.
_ROWS = """
UPDATE messaging_delivery d
SET send_at = t.at,
    settled_at = CASE WHEN d.settled_at IS NOT NULL THEN t.at + interval '1 second' END,
    delivered_at = CASE WHEN d.delivered_at IS NOT NULL
                        THEN t.at + (3 + d.id %% 9) * interval '1 second' END
FROM unnest(%(dispatches)s::bigint[], %(items)s::bigint[], %(times)s::timestamptz[])
     AS t (dispatch_id, item, at)
WHERE d.dispatch_id = t.dispatch_id AND d.dedup_key = t.item
"""
_EVENTS = """
UPDATE messaging_deliveryevent e
SET at = CASE WHEN e.kind = 'delivered' THEN coalesce(d.delivered_at, d.settled_at, d.send_at)
              ELSE coalesce(d.settled_at, d.send_at) END
FROM messaging_delivery d
WHERE d.dispatch_id = ANY(%(those)s) AND e.dispatch_id = d.dispatch_id AND e.delivery_id = d.id
"""
_COPIES = """
UPDATE messaging_messagecopy e SET at = coalesce(d.settled_at, d.send_at)
FROM messaging_delivery d
WHERE d.dispatch_id = ANY(%(those)s) AND e.dispatch_id = d.dispatch_id AND e.delivery_id = d.id
"""
_JOBS = """
UPDATE messaging_dispatch j
SET send_at = s.first, created_at = s.first, started_at = s.first,
    finished_at = CASE WHEN j.finished_at IS NOT NULL THEN s.last END,
    folded_at = s.last, expires_at = s.first + (j.expires_at - j.created_at)
FROM (SELECT dispatch_id, min(send_at) AS first,
             max(coalesce(delivered_at, settled_at, send_at)) AS last
      FROM messaging_delivery WHERE dispatch_id = ANY(%(those)s) GROUP BY dispatch_id) s
WHERE j.id = s.dispatch_id
"""
_BATCHES = """
UPDATE messaging_batch b SET not_before = j.send_at
FROM messaging_dispatch j WHERE j.id = b.dispatch_id AND j.id = ANY(%(those)s)
"""


def date_messages(times: Mapping[tuple[int, int], datetime]) -> None:
    """Give the settled messages named by (dispatch, item) the time at which they would have gone out."""
    names = list(times)
    values: dict[str, Any] = {
        "dispatches": [dispatch for dispatch, _item in names],
        "items": [item for _dispatch, item in names],
        "times": list(times.values()),
        "those": sorted({dispatch for dispatch, _item in names}),
    }
    with connection.cursor() as cursor:
        for sql in (_ROWS, _EVENTS, _COPIES, _JOBS, _BATCHES):
            cursor.execute(sql, values)
