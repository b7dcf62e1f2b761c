"""Putting right what a dead worker left: its leases go back, its rows in doubt get their honest state."""

import json
from typing import Any

from django.db import connection, transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from notifyhub.messaging.engine.alarms import tell_operations
from notifyhub.messaging.engine.judge import ASSURED, IN_DOUBT
from notifyhub.messaging.models import Delivery, DeliveryEvent

State = Delivery.State
Reason = Delivery.Reason
Kind = DeliveryEvent.Kind

# Batches put right in one run; the next tick takes the rest.
AT_ONCE = 500

_EXPIRED = """
SELECT b.id, b.dispatch_id, b.channel, b.priority, b.cursor, b.open_to, b.hi, b.ids, b.owner, b.reasons,
       b.step, b.watch, b.chained, b.not_before, b.account_id, j.message_class
FROM messaging_batch b JOIN messaging_dispatch j ON j.id = b.dispatch_id
WHERE b.state = 1 AND b.lease_until < statement_timestamp()
ORDER BY b.lease_until LIMIT 1 FOR UPDATE OF b SKIP LOCKED
"""

_ROWS = """
SELECT d.id, d.state, d.reason, d.tries FROM messaging_delivery d
WHERE d.dispatch_id = %(dispatch)s AND d.id > %(cursor)s AND d.id <= %(open_to)s
  AND (%(ids)s::bigint[] IS NULL OR d.id = ANY(%(ids)s::bigint[]))
ORDER BY d.id FOR UPDATE
"""

_MARKED = """
SELECT d.id FROM messaging_delivery d
WHERE d.dispatch_id = %(dispatch)s AND d.id > %(cursor)s AND d.id <= %(hi)s AND d.state = 0
  AND d.reason = %(poison)s AND (%(ids)s::bigint[] IS NULL OR d.id = ANY(%(ids)s::bigint[]))
ORDER BY d.id LIMIT 1
"""

_SETTLE = """
WITH rows AS (
    UPDATE messaging_delivery d SET state = %(state)s, reason = %(reason)s,
        account_id = coalesce(%(account)s, d.account_id),
        settled_at = CASE WHEN %(state)s > 0 THEN clock_timestamp() END
    WHERE d.dispatch_id = %(dispatch)s AND d.id = ANY(%(rows)s) AND d.state = 0
    RETURNING d.dispatch_id, d.id, d.account_id
)
INSERT INTO messaging_deliveryevent
    (at, dispatch_id, delivery_id, account_id, kind, provider_ref, code, detail, worker)
SELECT clock_timestamp(), dispatch_id, id, account_id, %(kind)s, '', %(reason)s, '', %(worker)s FROM rows
"""

_RETURN = """
UPDATE messaging_batch t
SET state = CASE WHEN %(cursor)s >= t.hi THEN 2 ELSE 0 END, epoch = t.epoch + 1, owner = '',
    lease_until = NULL, cursor = %(cursor)s, open_to = %(cursor)s, reasons = %(reasons)s::jsonb,
    tries = CASE WHEN %(cursor)s > t.cursor THEN 0 ELSE t.tries END,
    sent = t.sent + %(sent)s, failed = t.failed + %(failed)s, unknown = t.unknown + %(unknown)s,
    deferred = t.deferred + %(deferred)s,
    check_at = CASE WHEN %(cursor)s >= t.hi AND t.watch THEN clock_timestamp() ELSE t.check_at END
WHERE t.id = %(batch)s
"""

_SIDE = """
INSERT INTO messaging_batch (dispatch_id, channel, priority, lo, hi, ids, not_before, cursor, open_to, step,
    watch, chained)
VALUES (%(dispatch)s, %(channel)s, %(priority)s, %(lo)s, %(hi)s, %(rows)s, %(due)s, %(lo)s - 1,
    %(lo)s - 1, %(step)s, %(watch)s, %(chained)s)
"""


def reap_expired_leases() -> int:
    """Return the batches of dead workers to the ready ones; return how many there were.

    What had been opened is in doubt: `unknown` for classes sent once, one re-send with the same Message-ID
    for the others. What had not been opened was never handed over and simply waits again.
    """
    reaped = 0
    while reaped < AT_ONCE and _reap_one():
        reaped += 1
    return reaped


@transaction.atomic
def _reap_one() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_EXPIRED)
        row = cursor.fetchone()
        if row is None:
            return False
        names = [column[0] for column in cursor.description]
        batch = dict(zip(names, row, strict=True))
        if isinstance(batch["reasons"], str):
            batch["reasons"] = json.loads(batch["reasons"])
        _settle_open_rows(cursor, batch)
    return True


def _settle_open_rows(cursor: Any, batch: dict[str, Any]) -> None:
    scope = {
        "dispatch": batch["dispatch_id"],
        "cursor": batch["cursor"],
        "open_to": batch["open_to"],
        "hi": batch["hi"],
        "ids": batch["ids"],
    }
    counts = {"sent": 0, "failed": 0, "unknown": 0, "deferred": 0}
    reach, reasons = batch["cursor"], batch["reasons"]
    if batch["open_to"] > batch["cursor"]:
        reach = batch["open_to"]
        cursor.execute(_ROWS, scope)
        rows = cursor.fetchall()
        # A row that a receipt has moved already was counted by the receipt.
        planned = [(number, reason) for number, state, reason, _tries in rows if state == State.PLANNED]
        again = [
            number
            for number, reason in planned
            if reason not in IN_DOUBT and batch["message_class"] in ASSURED
        ]
        doubt = [number for number, reason in planned if number not in set(again)]
        if again:
            _settle(cursor, batch, again, State.PLANNED, Kind.RETRY, Reason.WORKER_DIED)
            _add_side_batch(cursor, batch, again)
            counts["deferred"] = len(again)
        if doubt:
            _settle(cursor, batch, doubt, State.UNKNOWN, Kind.UNKNOWN, Reason.WORKER_DIED)
            counts["unknown"] = len(doubt)
            reasons = _add_reason(reasons, Reason.WORKER_DIED, len(doubt))
    else:
        cursor.execute(_MARKED, {**scope, "poison": Reason.POISON.value})
        marked = cursor.fetchone()
        if marked is not None:
            _settle(cursor, batch, [marked[0]], State.FAILED, Kind.FAILED, Reason.POISON)
            counts["failed"], reach = 1, marked[0]
            reasons = _add_reason(reasons, Reason.POISON, 1)
            _raise_alarm(batch, marked[0])
    values = {"batch": batch["id"], "cursor": reach, "reasons": json.dumps(reasons), **counts}
    cursor.execute(_RETURN, values)


def _add_reason(reasons: dict[str, int], reason: str, rows: int) -> dict[str, int]:
    return {**reasons, str(reason): reasons.get(str(reason), 0) + rows}


def _settle(cursor: Any, batch: dict[str, Any], rows: list[int], state: int, kind: str, reason: str) -> None:
    cursor.execute(
        _SETTLE,
        {
            "dispatch": batch["dispatch_id"],
            "rows": rows,
            "state": int(state),
            "reason": str(reason),
            "kind": str(kind),
            "worker": batch["owner"],
            "account": batch["account_id"] if batch["open_to"] > batch["cursor"] else None,
        },
    )


def _add_side_batch(cursor: Any, batch: dict[str, Any], rows: list[int]) -> None:
    cursor.execute(
        _SIDE,
        {
            "dispatch": batch["dispatch_id"],
            "channel": batch["channel"],
            "priority": batch["priority"],
            "lo": min(rows),
            "hi": max(rows),
            "rows": rows,
            # Due when it was due: a restored database holds it back like the rest of what is overdue.
            "due": batch["not_before"],
            "step": batch["step"],
            "watch": batch["watch"],
            "chained": batch["chained"],
        },
    )


def _raise_alarm(batch: dict[str, Any], row: int) -> None:
    """Tell operations which message stopped its worker."""
    reference = f"{batch['dispatch_id']}-{row}"
    tell_operations(
        title=format_lazy(_("Message {number} stopped its worker and was set aside"), number=reference),
        body=_("All other messages of its dispatch go on. Look at its template and its customer's data."),
        level="alarm",
        dedup=f"poison-{reference}",
    )
