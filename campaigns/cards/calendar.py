"""Fourteen days of planned sends, from whoever plans any."""

from collections import Counter
from datetime import date, timedelta

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language

from notifyhub.core.registry import PlannedSend, planned_sends

DAYS = 14
SHOWN = 4


def read_calendar() -> list[tuple[date, list[PlannedSend]]]:
    """Return the next fourteen days, today first, each with what is sent on it."""
    start = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    days: dict[date, list[PlannedSend]] = {
        (start + timedelta(days=ahead)).date(): [] for ahead in range(DAYS)
    }
    for source in planned_sends:
        for entry in source(start, start + timedelta(days=DAYS)):
            send = PlannedSend(*entry)
            day = timezone.localtime(send.at).date()
            if day in days:
                days[day].append(send)
    return [(day, sorted(sends, key=lambda send: send.at)) for day, sends in days.items()]


def _short(weekday: str) -> str:
    # Django's short Chinese weekday is 星期一, twice the width of the column; staff write 周一.
    return weekday.replace("星期", "周")


def _month(day: date) -> str:
    return f"{day.month} 月" if (get_language() or "").startswith("zh") else date_format(day, "M")


def render_calendar(request: HttpRequest) -> str:
    """Return the calendar; a day on which two or more sends meet is named above it."""
    days = read_calendar()
    crowded = Counter({day: len(sends) for day, sends in days if len(sends) > 1})
    busiest = crowded.most_common(1)
    context = {
        "days": [
            {
                "number": day.day,
                "label": _short(date_format(day, "D")),
                "month": _month(day) if day.day == 1 else "",
                "today": index == 0,
                "sends": sends[:SHOWN],
                "more": len(sends) - SHOWN,
            }
            for index, (day, sends) in enumerate(days)
        ],
        "busiest": {"day": busiest[0][0], "count": busiest[0][1]} if busiest else None,
        "empty": not any(sends for _day, sends in days),
    }
    return render_to_string("campaigns/cards/calendar.html", context, request)
