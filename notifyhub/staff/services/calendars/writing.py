"""Changing calendars. Each verb takes the version that was read and says who was faster."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.text import slugify
from django.utils.translation import gettext as _

from notifyhub.core.errors import Conflict, Refused
from notifyhub.staff.models import BusinessCalendar, CalendarDay
from notifyhub.staff.services import audit
from notifyhub.staff.services.calendars.reading import FIRST_YEAR, LAST_YEAR, read_days


def _lock(calendar_id: int, version: int | None) -> BusinessCalendar:
    calendar = BusinessCalendar.objects.select_for_update().get(pk=calendar_id)
    if version is not None and version != calendar.version:
        raise Conflict(
            _("Somebody changed this calendar meanwhile. Look again, then do it once more."),
            current=calendar.version,
        )
    return calendar


def _done(calendar: BusinessCalendar, verb: str, **detail: Any) -> BusinessCalendar:
    BusinessCalendar.objects.filter(pk=calendar.pk).update(version=F("version") + 1)
    calendar.refresh_from_db()
    audit.record(verb=verb, obj=calendar, **detail)
    return calendar


def _read_name(name: str) -> str:
    name = name.strip()
    if not 0 < len(name) <= 80:
        raise Refused(_("Give the calendar a name of at most 80 characters."), field="name")
    return name


def _read_weekdays(weekdays: Iterable[int]) -> list[int]:
    chosen = sorted(set(weekdays))
    if not chosen or not set(chosen) <= set(BusinessCalendar.Weekday.values):
        raise Refused(_("Choose at least one working weekday."), field="weekdays")
    return chosen


@transaction.atomic
def create_calendar(
    *, name: str, weekdays: Iterable[int], copy_of: BusinessCalendar | None = None
) -> BusinessCalendar:
    """Make a calendar, with the days of another if asked, and return it."""
    name, chosen = _read_name(name), _read_weekdays(weekdays)
    if BusinessCalendar.objects.filter(name=name).exists():
        raise Refused(_("There is a calendar of this name."), field="name")
    calendar = BusinessCalendar.objects.create(
        # The number follows; names in Chinese leave nothing of a slug.
        key=f"new-{slugify(name)[:20]}-{BusinessCalendar.objects.count()}"[:40],
        name=name,
        weekdays=chosen,
        default=False,
    )
    BusinessCalendar.objects.filter(pk=calendar.pk).update(
        key=f"{slugify(name)[:24] or 'calendar'}-{calendar.pk}"
    )
    calendar.refresh_from_db()
    copied = 0
    if copy_of is not None:
        rows = CalendarDay.objects.filter(calendar=copy_of).order_by("day")
        copied = len(
            CalendarDay.objects.bulk_create(
                CalendarDay(calendar=calendar, day=row.day, works=row.works, name=row.name) for row in rows
            )
        )
    audit.record(verb="create_calendar", obj=calendar, days=copied)
    return calendar


@transaction.atomic
def update_calendar(
    *, calendar_id: int, name: str, weekdays: Iterable[int], default: bool, version: int | None
) -> BusinessCalendar:
    """Change name, weekdays, or make it the default, and return it."""
    calendar = _lock(calendar_id, version)
    name, chosen = _read_name(name), _read_weekdays(weekdays)
    if calendar.default and not default:
        raise Refused(_("Make another calendar the default one instead."), field="default")
    if BusinessCalendar.objects.filter(name=name).exclude(pk=calendar_id).exists():
        raise Refused(_("There is a calendar of this name."), field="name")
    if default and not calendar.default:
        BusinessCalendar.objects.filter(default=True).update(default=False)
    try:
        with transaction.atomic():
            BusinessCalendar.objects.filter(pk=calendar_id).update(
                name=name, weekdays=chosen, default=default
            )
    except IntegrityError as error:
        raise Conflict(_("Somebody changed the default calendar meanwhile. Look again.")) from error
    return _done(calendar, "update_calendar", weekdays=chosen, default=default)


@transaction.atomic
def set_day(
    *, calendar_id: int, day: date, works: bool, name: str = "", version: int | None = None
) -> BusinessCalendar:
    """Say of one day that it is a working day, or that it is not; return the calendar."""
    calendar = _lock(calendar_id, version)
    _check_day(day)
    CalendarDay.objects.update_or_create(
        calendar=calendar, day=day, defaults={"works": works, "name": name.strip()[:60]}
    )
    return _done(calendar, "set_calendar_day", day=day.isoformat(), works=works)


@transaction.atomic
def clear_day(*, calendar_id: int, day: date, version: int | None = None) -> BusinessCalendar:
    """Let the weekday decide of a day again; return the calendar."""
    calendar = _lock(calendar_id, version)
    if not CalendarDay.objects.filter(calendar=calendar, day=day).delete()[0]:
        raise Refused(_("The weekday decides of this day already."), field="day")
    return _done(calendar, "clear_calendar_day", day=day.isoformat())


@transaction.atomic
def import_days(*, calendar_id: int, text: str, version: int | None = None) -> int:
    """Enter the days written in `text`, over what they were; return how many."""
    calendar = _lock(calendar_id, version)
    days = read_days(text)
    _enter(calendar, days)
    _done(calendar, "import_calendar_days", days=len(days), years=sorted({day.year for day in days}))
    return len(days)


@transaction.atomic
def copy_year(*, calendar_id: int, source_id: int, year: int, version: int | None = None) -> int:
    """Take over the days of one year from another calendar; return how many."""
    calendar = _lock(calendar_id, version)
    rows = CalendarDay.objects.filter(calendar_id=source_id, day__year=year)
    days = {row.day: (row.works, row.name) for row in rows}
    if not days:
        raise Refused(_("That calendar has no days of %(year)d.") % {"year": year}, field="source")
    _enter(calendar, days)
    _done(calendar, "import_calendar_days", days=len(days), years=[year], source=source_id)
    return len(days)


def _enter(calendar: BusinessCalendar, days: Mapping[date, tuple[bool, str]]) -> None:
    CalendarDay.objects.bulk_create(
        [
            CalendarDay(calendar=calendar, day=day, works=works, name=name)
            for day, (works, name) in sorted(days.items())
        ],
        update_conflicts=True,
        unique_fields=["calendar", "day"],
        update_fields=["works", "name"],
    )


def _check_day(day: date) -> None:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise Refused(
            _("Choose a day from %(first)d to %(last)d.") % {"first": FIRST_YEAR, "last": LAST_YEAR},
            field="day",
        )
