"""Single questions to a calendar; for many days or people, SQL asks the same tables."""

from datetime import date, timedelta

from django.db.models.functions import ExtractYear

from notifyhub.staff.models import BusinessCalendar, CalendarDay

# Nobody rests longer in one go; a calendar without any working weekday ends the search here.
FURTHEST = 400


def default_calendar() -> BusinessCalendar | None:
    """Return the calendar that counts where none is named."""
    return BusinessCalendar.objects.filter(default=True).first()


def is_working_day(calendar: BusinessCalendar, day: date) -> bool:
    """Say whether `day` is a working day: by its own row, else by its weekday."""
    own = CalendarDay.objects.filter(calendar=calendar, day=day).values_list("works", flat=True).first()
    return day.isoweekday() in calendar.weekdays if own is None else own


def next_working_day(calendar: BusinessCalendar, day: date) -> date | None:
    """Return the first working day on or after `day`; None if none comes within a year."""
    last = day + timedelta(days=FURTHEST)
    rows = CalendarDay.objects.filter(calendar=calendar, day__range=(day, last))
    own = dict(rows.values_list("day", "works"))
    for ahead in range(FURTHEST + 1):
        at = day + timedelta(days=ahead)
        if own.get(at, at.isoweekday() in calendar.weekdays):
            return at
    return None


def years_entered(calendar: BusinessCalendar) -> list[int]:
    """Return the years of which at least one day was entered, oldest first."""
    years = CalendarDay.objects.filter(calendar=calendar).annotate(year=ExtractYear("day"))
    return sorted(years.order_by().values_list("year", flat=True).distinct())
