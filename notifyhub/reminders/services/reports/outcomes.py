"""What became of the messages of reminders, read from the ledger by its unique key."""

from typing import Any

from django.db import connection

from notifyhub.messaging.models import Delivery
from notifyhub.reminders.models import Reminder

# The ledger is asked by (dispatch, dedup key), its unique index: the page's rows only.
_OUTCOMES = """
SELECT d.dispatch_id, d.dedup_key, d.id, d.state, d.reason FROM messaging_delivery d
JOIN unnest(%s::bigint[], %s::bigint[]) AS w (dispatch_id, dedup_key)
  ON d.dispatch_id = w.dispatch_id AND d.dedup_key = w.dedup_key
WHERE d.dispatch_id = ANY(%s)
ORDER BY d.id
"""

_TONES: dict[int, str] = {
    Delivery.State.PLANNED: "blue",
    Delivery.State.SENT: "blue",
    Delivery.State.DELIVERED: "green",
    Delivery.State.FAILED: "red",
    Delivery.State.BOUNCED: "red",
    Delivery.State.UNKNOWN: "orange",
}


def with_outcomes(reminders: list[Reminder]) -> list[dict[str, Any]]:
    """Return each reminder with what became of its message: words, tone, reference."""
    sent = [row for row in reminders if row.dispatch_id]
    found: dict[tuple[int, int], tuple[int, int, str]] = {}
    if sent:
        dispatches = [row.dispatch_id for row in sent]
        with connection.cursor() as cursor:
            cursor.execute(_OUTCOMES, [dispatches, [row.pk for row in sent], dispatches])
            found = {(d, key): (pk, state, reason) for d, key, pk, state, reason in cursor.fetchall()}
    return [_line(row, found.get((row.dispatch_id or 0, row.pk))) for row in reminders]


def _line(row: Reminder, outcome: tuple[int, int, str] | None) -> dict[str, Any]:
    words, tone, reference = str(row.get_state_display()), "grey", ""
    if row.state in (Reminder.State.PLANNED, Reminder.State.DISPATCHED):
        tone = "blue"
    elif row.reason:
        words = f"{words} · {row.get_reason_display()}"
        tone = "orange" if row.state == Reminder.State.SKIPPED else "grey"
    if outcome:
        pk, state, reason = outcome
        reference = f"{row.dispatch_id}-{pk}"
        words, tone = str(Delivery.State(state).label), _TONES.get(state, "grey")
        if reason:
            words = f"{words} · {Delivery.Reason(reason).label}"
    return {"reminder": row, "words": words, "tone": tone, "reference": reference}
