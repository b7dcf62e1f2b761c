"""What a rule has done and what it will do next."""

from typing import Any

from django.db import connection
from django.db.models import Count

from notifyhub.messaging.models import Delivery
from notifyhub.reminders.models import Reminder, ReminderRule

# The ledger is asked by (dispatch, dedup key), its unique index: the page's rows only.
_OUTCOMES = """
SELECT d.dispatch_id, d.dedup_key, d.id, d.state, d.reason FROM messaging_delivery d
JOIN unnest(%s::bigint[], %s::bigint[]) AS w (dispatch_id, dedup_key)
  ON d.dispatch_id = w.dispatch_id AND d.dedup_key = w.dedup_key
WHERE d.dispatch_id = ANY(%s)
"""


def totals(rule: ReminderRule) -> dict[str, int]:
    """Return how many of the rule's reminders are in each state, by the state's code, plus `all`."""
    counts = dict(rule.reminders.order_by().values_list("state").annotate(n=Count("id")))
    return {**{state: counts.get(state, 0) for state in Reminder.State.values}, "all": sum(counts.values())}


def with_outcomes(reminders: list[Reminder]) -> list[dict[str, Any]]:
    """Return each reminder with what became of its message: state, words, reference."""
    sent = [row for row in reminders if row.dispatch_id]
    found: dict[tuple[int, int], tuple[int, int, str]] = {}
    if sent:
        dispatches = [row.dispatch_id for row in sent]
        with connection.cursor() as cursor:
            cursor.execute(_OUTCOMES, [dispatches, [row.pk for row in sent], dispatches])
            found = {(d, key): (pk, state, reason) for d, key, pk, state, reason in cursor.fetchall()}
    lines = []
    for row in reminders:
        line: dict[str, Any] = {
            "reminder": row,
            "words": row.get_state_display(),
            "tone": "grey",
            "reference": "",
        }
        if row.state == Reminder.State.PLANNED:
            line["tone"] = "blue"
        elif row.reason:
            line["words"] = f"{row.get_state_display()} · {row.get_reason_display()}"
        outcome = found.get((row.dispatch_id or 0, row.pk))
        if outcome:
            pk, state, reason = outcome
            line["reference"] = f"{row.dispatch_id}-{pk}"
            line["words"] = Delivery.State(state).label
            line["tone"] = _TONES.get(state, "grey")
            if reason:
                line["words"] = f"{line['words']} · {Delivery.Reason(reason).label}"
        lines.append(line)
    return lines


_TONES = {
    Delivery.State.PLANNED: "blue",
    Delivery.State.SENT: "blue",
    Delivery.State.DELIVERED: "green",
    Delivery.State.FAILED: "red",
    Delivery.State.BOUNCED: "red",
    Delivery.State.UNKNOWN: "orange",
}


def recent_and_next(rule: ReminderRule, *, limit: int = 15) -> dict[str, list[dict[str, Any]]]:
    """Return the rule's next planned rows and its latest ended ones, with outcomes."""
    rows = rule.reminders.select_related("customer", "order")
    coming = rows.filter(state=Reminder.State.PLANNED).order_by("due_at")[:limit]
    ended = rows.exclude(state=Reminder.State.PLANNED).order_by("-due_at")[:limit]
    return {"next": with_outcomes(list(coming)), "ended": with_outcomes(list(ended))}
