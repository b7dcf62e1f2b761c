"""How many messages of a dispatch wait for the end of quiet hours, so that it never looks stuck."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from notifyhub.messaging.engine.quiet import QUIET

_WAITING = """
SELECT coalesce(sum(CASE WHEN b.ids IS NULL THEN b.hi - b.cursor
                         ELSE (SELECT count(*) FROM unnest(b.ids) AS one(id) WHERE one.id > b.cursor) END),
                0)::bigint,
       min(b.not_before), max(b.not_before)
FROM messaging_batch b
WHERE b.dispatch_id = %(dispatch)s AND b.state = 0 AND b.waits_for = %(quiet)s
  AND b.not_before > statement_timestamp()
"""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """So many wait, the first until `first` and the last until `last`."""

    rows: int = 0
    first: datetime | None = None
    last: datetime | None = None


def count_waiting(dispatch_id: int) -> Waiting:
    """Return what waits for quiet hours to end; only ready batches are read, by their index."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, {"dispatch": dispatch_id, "quiet": QUIET})
        rows, first, last = cursor.fetchone()
    return Waiting(rows=rows, first=first, last=last)
