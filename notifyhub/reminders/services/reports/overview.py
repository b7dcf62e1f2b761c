"""What reminders have done and what they will do next; every count is bounded by an index."""

from datetime import datetime, timedelta

from django.db.models import Count
from django.db.models.functions import TruncHour
from django.utils import timezone

from notifyhub.reminders.models import Reminder

DAY_HOURS = 24


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


def settled_by_reason() -> list[tuple[str, str, int]]:
    """Return (state, reason, how many) of the reminders that stopped or were skipped today, most first."""
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    rows = Reminder.objects.filter(
        settled_at__gte=midnight, state__in=(Reminder.State.STOPPED, Reminder.State.SKIPPED)
    ).order_by()
    counts = rows.values_list("state", "reason").annotate(n=Count("id"))
    return sorted(counts, key=lambda line: -line[2])
