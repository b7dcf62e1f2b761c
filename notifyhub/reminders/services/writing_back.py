"""Why the gate kept a message back is written on its due row, so that the row's page can say it."""

from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from notifyhub.messaging.models import Delivery, Dispatch
from notifyhub.reminders.services.stopping import OCCASION_OF_ROW, WHY

# The occasion may have been ended by the tick between hand-over and sending: then that is the reason.
_WRITE = f"""
WITH skipped AS (
    SELECT d.dedup_key AS id, d.reason FROM messaging_delivery d
    WHERE d.dispatch_id = %(dispatch)s AND (%(ids)s::bigint[] IS NULL OR d.id = ANY(%(ids)s))
      AND d.state = 90 AND d.reason IN ('stopped', 'hold')
), looked AS (
    SELECT r.id, o.id AS occasion, coalesce({WHY}, CASE
        WHEN o.reason <> '' THEN o.reason || ':' || o.detail
        WHEN s.reason = 'hold' THEN 'held:' END) AS why
    FROM skipped s JOIN reminders_reminder r ON r.id = s.id AND r.dispatch_id = %(dispatch)s
    JOIN {OCCASION_OF_ROW}
), ended AS (
    UPDATE reminders_occasion t SET state = CASE WHEN t.done_at IS NULL THEN 'stopped' ELSE 'done' END,
        reason = split_part(l.why, ':', 1), detail = left(substr(l.why, strpos(l.why, ':') + 1), 80),
        ended_at = %(now)s
    FROM looked l JOIN skipped s ON s.id = l.id
    WHERE t.id = l.occasion AND s.reason = 'stopped' AND l.why IS NOT NULL
      AND t.state IN ('running', 'through')
    RETURNING t.id, t.reason, t.detail
), rest AS (
    UPDATE reminders_reminder r
    SET state = 'stopped', reason = e.reason, detail = e.detail, settled_at = %(now)s
    FROM ended e WHERE r.occasion_id = e.id AND r.state = 'planned'
)
UPDATE reminders_reminder r SET reason = split_part(l.why, ':', 1),
    detail = left(substr(l.why, strpos(l.why, ':') + 1), 80)
FROM looked l WHERE r.id = l.id AND l.why IS NOT NULL
"""


def explain_skipped(*, dispatch_id: int, ids: Sequence[int] | None = None) -> int:
    """Write on the due rows why their messages were kept back; return how many. Without `ids`, on all."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            _WRITE,
            {"dispatch": dispatch_id, "ids": None if ids is None else list(ids), "now": timezone.now()},
        )
        return int(cursor.rowcount)


def on_deliveries_settled(
    dispatch_id: int, origin_kind: str, ids: Sequence[int], state: int, **kwargs: Any
) -> None:
    """Receiver of messaging's signal after each window."""
    if origin_kind == "reminder" and state == Delivery.State.SKIPPED:
        explain_skipped(dispatch_id=dispatch_id, ids=ids)


def on_dispatch_finished(dispatch_id: int, **kwargs: Any) -> None:
    """Receiver of messaging's signal: what was kept back while planning, or told of while nobody heard."""
    if Dispatch.objects.filter(pk=dispatch_id, origin_kind="reminder", skipped__gt=0).exists():
        explain_skipped(dispatch_id=dispatch_id)
