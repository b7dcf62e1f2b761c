"""What reminders have done and what they will do next; every count is bounded by an index."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count
from django.db.models.functions import TruncHour
from django.utils import timezone

from notifyhub.messaging.models import Delivery
from notifyhub.reminders.models import Reminder, ReminderRule

RECENT = timedelta(days=30)
DAY_HOURS = 24

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


def totals(rule: ReminderRule) -> dict[str, int]:
    """Return how many of the rule's reminders due since a month are in each state, by the state's code."""
    rows = rule.reminders.filter(due_at__gte=timezone.now() - RECENT)
    counts = dict(rows.order_by().values_list("state").annotate(n=Count("id")))
    return {state: counts.get(state, 0) for state in Reminder.State.values}


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


def recent_and_next(rule: ReminderRule, *, limit: int = 10) -> dict[str, list[dict[str, Any]]]:
    """Return the rule's next planned rows and its latest ended ones, with outcomes."""
    rows = rule.reminders.select_related("customer")
    coming = rows.filter(state=Reminder.State.PLANNED).order_by("due_at")[:limit]
    ended = rows.exclude(state=Reminder.State.PLANNED).order_by("-due_at")[:limit]
    return {"next": with_outcomes(list(coming)), "ended": with_outcomes(list(ended))}


def next_hours() -> list[tuple[datetime, int]]:
    """Return (start of the hour, planned reminders) of the next 24 hours; what is overdue counts as now."""
    start = timezone.localtime().replace(minute=0, second=0, microsecond=0)
    rows = Reminder.objects.filter(
        state=Reminder.State.PLANNED, due_at__lt=start + timedelta(hours=DAY_HOURS)
    ).order_by()
    counts: dict[datetime, int] = {}
    for hour, n in rows.annotate(hour=TruncHour("due_at")).values_list("hour").annotate(n=Count("id")):
        counts[max(hour, start)] = counts.get(max(hour, start), 0) + n
    return [(hour, counts.get(hour, 0)) for hour in (start + timedelta(hours=n) for n in range(DAY_HOURS))]


def settled_today() -> dict[str, int]:
    """Return how many reminders left `planned` today, by the state they are in."""
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    rows = Reminder.objects.filter(settled_at__gte=midnight).order_by()
    counts = dict(rows.values_list("state").annotate(n=Count("id")))
    return {state: counts.get(state, 0) for state in Reminder.State.values}
