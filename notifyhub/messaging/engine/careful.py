"""Finding the row that kills its process: opened alone, and marked before it is touched.

A batch leased several times without progress died before it could open a window, so in rendering. The mark
is committed before the row is rendered; the reaper sets aside the marked row and nothing else.
"""

from typing import Any

from django.db import connection

from notifyhub.messaging.engine.lease import LeasedBatch
from notifyhub.messaging.models import Delivery

# The lease after so many that moved nothing goes row by row.
LEASES_WITHOUT_PROGRESS = 3

_MARK = """
UPDATE messaging_delivery d SET reason = %(mark)s
WHERE d.dispatch_id = %(dispatch)s AND d.id = %(row)s AND d.state = 0
"""

Live = list[tuple[LeasedBatch, list[dict[str, Any]]]]


def is_suspect(batch: LeasedBatch) -> bool:
    """Say whether the batch was leased too often without its cursor moving."""
    return batch.tries > LEASES_WITHOUT_PROGRESS


def mark_before_render(live: Live) -> None:
    """Commit the mark on the single row of each batch that is about to be rendered."""
    for _batch, rows in live:
        for row in rows[:1]:
            _write_mark(row, Delivery.Reason.POISON.value)


def unmark(live: Live) -> None:
    """Take the marks back: the rows survived rendering and wait for other reasons."""
    for _batch, rows in live:
        for row in rows[:1]:
            _write_mark(row, row["mark"])


def _write_mark(row: dict[str, Any], mark: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_MARK, {"mark": mark, "dispatch": row["dispatch_id"], "row": row["id"]})
