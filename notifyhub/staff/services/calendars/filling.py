"""The public holidays of mainland China, filled in once for each year that the library knows.

What people entered stays: a year with any day of its own is never touched, nor one that was filled before.
"""

from datetime import date
from typing import Any

import chinese_calendar
from django.db import transaction
from django.utils.translation import gettext_noop

from notifyhub.staff.models import BusinessCalendar, CalendarDay
from notifyhub.staff.services.calendars.questions import years_entered

KEY = "china"
NAME = gettext_noop("Mainland China")
# Kept as the library writes them; pages show them in the reader's language.
OCCASIONS = [
    gettext_noop("New Year's Day"),
    gettext_noop("Spring Festival"),
    gettext_noop("Tomb-sweeping Day"),
    gettext_noop("Labour Day"),
    gettext_noop("Dragon Boat Festival"),
    gettext_noop("National Day"),
    gettext_noop("Mid-autumn Festival"),
    gettext_noop("Anti-Fascist 70th Day"),
]


def known_days() -> dict[date, tuple[bool, str]]:
    """Return the days that are not what their weekday says: {day: (works, occasion)}."""
    days = {day: (False, name) for day, name in chinese_calendar.constants.holidays.items()}
    return days | {day: (True, name) for day, name in chinese_calendar.constants.workdays.items()}


@transaction.atomic
def fill_calendar() -> int:
    """Make the calendar of mainland China if there is none, fill years new to it; return how many days."""
    days = known_days()
    newest = max(day.year for day in days)
    calendar, _made = BusinessCalendar.objects.select_for_update().get_or_create(
        key=KEY,
        defaults={
            "name": NAME,
            "weekdays": [1, 2, 3, 4, 5],
            "default": not BusinessCalendar.objects.filter(default=True).exists(),
        },
    )
    filled = calendar.filled_to or 0
    if filled >= newest:
        return 0
    entered = set(years_entered(calendar))
    rows = [
        CalendarDay(calendar=calendar, day=day, works=works, name=name)
        for day, (works, name) in sorted(days.items())
        if day.year > filled and day.year not in entered
    ]
    CalendarDay.objects.bulk_create(rows)
    BusinessCalendar.objects.filter(pk=calendar.pk).update(filled_to=newest)
    return len(rows)


def fill_calendar_after_migrate(**kwargs: Any) -> None:
    """Fill the calendar once its tables are there, and again when a newer library knows another year."""
    fill_calendar()
