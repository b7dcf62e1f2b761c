"""Calendars of working days: filled once, edited by people, asked by day."""

from contextlib import suppress
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from notifyhub.core.errors import Conflict, Refused
from notifyhub.staff import doctor
from notifyhub.staff.models import AuditEntry, BusinessCalendar, CalendarDay
from notifyhub.staff.services.calendars import (
    default_calendar,
    fill_calendar,
    is_working_day,
    next_working_day,
    years_entered,
)
from notifyhub.staff.services.calendars.reading import read_days
from notifyhub.staff.services.calendars.writing import clear_day, create_calendar, import_days, set_day
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db

SQL = """
SELECT coalesce(d.works, extract(isodow FROM g.day)::int = ANY (c.weekdays))
FROM generate_series(%s::date, %s::date, '1 day') AS g (day)
JOIN staff_businesscalendar c ON c.id = %s
LEFT JOIN staff_calendarday d ON d.calendar_id = c.id AND d.day = g.day ORDER BY g.day
"""


@pytest.fixture
def china() -> BusinessCalendar:
    found = default_calendar()
    assert found is not None
    return found


def page(found: BusinessCalendar, verb: str = "") -> str:
    """Return the address of a calendar's page, or of an act on it."""
    if verb:
        return reverse("admin:staff_businesscalendar_act", args=[found.pk, verb])
    return reverse("admin:staff_businesscalendar_change", args=[found.pk])


def test_the_public_holidays_are_there_from_the_first_day(china: BusinessCalendar) -> None:
    assert not is_working_day(china, date(2026, 10, 1))
    assert is_working_day(china, date(2026, 10, 10)), "a Saturday made up"
    assert next_working_day(china, date(2026, 2, 15)) == date(2026, 2, 24)
    assert years_entered(china) == list(range(2004, 2027))
    assert is_working_day(china, date(2027, 1, 1)), "a Friday of a year that nobody entered"


def test_sql_and_python_say_the_same(china: BusinessCalendar) -> None:
    first, last = date(2025, 12, 20), date(2027, 1, 10)
    with connection.cursor() as cursor:
        cursor.execute(SQL, [first, last, china.pk])
        told = [row[0] for row in cursor.fetchall()]
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    assert told == [is_working_day(china, day) for day in days]


def test_filling_again_touches_nothing_that_people_entered(china: BusinessCalendar) -> None:
    set_day(calendar_id=china.pk, day=date(2026, 10, 1), works=True, name="Stocktaking")
    clear_day(calendar_id=china.pk, day=date(2026, 10, 2))
    assert fill_calendar() == 0
    assert is_working_day(china, date(2026, 10, 1))
    # A newer library knows a year more: only that one is filled, unless people were faster.
    BusinessCalendar.objects.filter(pk=china.pk).update(filled_to=2025)
    assert fill_calendar() == 0
    CalendarDay.objects.filter(day__year=2026).delete()
    BusinessCalendar.objects.filter(pk=china.pk).update(filled_to=2025)
    assert fill_calendar() == 39
    china.delete()
    assert fill_calendar() == 771


def test_a_calendar_without_working_days_ends_the_search() -> None:
    empty = BusinessCalendar.objects.create(key="none", name="None", weekdays=[])
    assert next_working_day(empty, date(2026, 1, 1)) is None


@given(st.dates(date(2001, 1, 1), date(2099, 12, 1)), st.integers(0, 30), st.booleans())
def test_what_is_written_is_read(first: date, more: int, works: bool) -> None:
    last = first + timedelta(days=more)
    word = "班" if works else "off"
    days = read_days(f"day,what\n{first:%Y/%m/%d} 至 {last.isoformat()}, {word}, 春节 eve\n# nothing\n")
    assert days == {first + timedelta(days=n): (works, "春节 eve") for n in range(more + 1)}


@pytest.mark.parametrize("line", ["2027-02-30 off", "soon", "2027-03-02 to 2027-03-01 off", "1999-01-01 off"])
def test_a_line_that_is_not_understood_is_named(line: str) -> None:
    with pytest.raises(Refused, match="Line 2"):
        read_days(f"2027-01-01 off\n{line}")


@given(st.text(max_size=60))
def test_no_text_breaks_the_reading(text: str) -> None:
    with suppress(Refused):
        read_days(text)


def test_operations_change_a_day_and_it_is_on_record(client: Client, china: BusinessCalendar) -> None:
    client.force_login(make_user("operations"))
    form = {"day": "2027-01-01", "what": "off", "name": "元旦", "version": china.version, "year": 2027}
    answer = client.post(page(china, "day"), form)
    assert answer["Location"] == f"{page(china)}?year=2027"
    assert not is_working_day(china, date(2027, 1, 1))
    assert AuditEntry.objects.filter(verb="set_calendar_day", detail__day="2027-01-01").exists()
    # The page of somebody else is older than that.
    late = client.post(page(china, "day"), {**form, "name": "Mine"})
    assert late.status_code == 409
    assert "Mine" in late.content.decode()
    china.refresh_from_db()
    back = {**form, "what": "weekday", "version": china.version}
    assert client.post(page(china, "day"), back).status_code == 302
    assert is_working_day(china, date(2027, 1, 1))


def test_lines_are_pasted_or_come_as_a_file(client: Client, china: BusinessCalendar, tmp_path: Any) -> None:
    client.force_login(make_user("service_lead"))
    pasted = {"text": "2027-02-05 to 2027-02-11 off 春节", "version": china.version, "year": 2027}
    assert client.post(page(china, "import"), pasted).status_code == 302
    path = tmp_path / "days.csv"
    path.write_bytes("2027-02-14,班,春节\n".encode("gb18030"))
    china.refresh_from_db()
    with path.open("rb") as file:
        upload = {"file": file, "version": china.version, "year": 2027}
        assert client.post(page(china, "import"), upload).status_code == 302
    assert CalendarDay.objects.filter(calendar=china, day__year=2027).count() == 8
    wrong = client.post(page(china, "import"), {"text": "nonsense", "year": 2027})
    assert wrong.status_code == 422
    assert "nonsense" in wrong.content.decode()


def test_who_only_reads_changes_nothing(client: Client, china: BusinessCalendar) -> None:
    client.force_login(make_user("agent"))
    assert client.get(page(china)).status_code == 200
    assert client.post(page(china, "day"), {"day": "2027-01-01", "what": "off"}).status_code == 403
    assert client.get(reverse("admin:staff_businesscalendar_add")).status_code == 403


def test_another_calendar_starts_with_the_days_of_one(client: Client, china: BusinessCalendar) -> None:
    client.force_login(make_user("operations"))
    form = {"name": "客服班次", "weekdays": ["1", "2", "3", "4", "5", "6"], "source": china.pk}
    assert client.post(reverse("admin:staff_businesscalendar_add"), form).status_code == 302
    made = BusinessCalendar.objects.get(name="客服班次")
    assert made.days.count() == china.days.count()
    assert is_working_day(made, date(2027, 1, 2)), "a Saturday"
    again = client.post(reverse("admin:staff_businesscalendar_add"), form)
    assert again.status_code == 422
    copied = client.post(page(made, "copy"), {"source": china.pk, "year": 2027, "version": made.version})
    assert copied.status_code == 422, "nobody entered 2027"


def test_the_default_moves_and_never_vanishes(client: Client, china: BusinessCalendar) -> None:
    client.force_login(make_user("operations"))
    other = create_calendar(name="Other", weekdays=[1])
    form = {"name": "Other", "weekdays": ["1"], "default": "1", "version": other.version}
    assert client.post(page(other, "settings"), form).status_code == 302
    assert default_calendar() == other
    assert client.post(page(other, "settings"), {**form, "weekdays": []}).status_code == 409
    other.refresh_from_db()
    with_none = {"name": "Other", "version": other.version}
    assert client.post(page(other, "settings"), with_none).status_code == 422


def test_a_year_that_nobody_entered_says_so(client: Client, china: BusinessCalendar) -> None:
    client.force_login(make_user("agent"))
    assert "Holidays of 2027 are not entered yet" in client.get(page(china) + "?year=2027").content.decode()
    assert "not entered" not in client.get(page(china) + "?year=2026").content.decode()
    with time_machine.travel("2026-11-22 12:00:00+00:00"):
        assert doctor.check_calendar().data == {"missing": [2027]}
    with time_machine.travel("2026-06-22 12:00:00+00:00"):
        assert doctor.check_calendar().level == "ok"
    import_days(calendar_id=china.pk, text="2027-01-01 off")
    with time_machine.travel("2026-11-22 12:00:00+00:00"):
        assert doctor.check_calendar().level == "ok"


@pytest.mark.parametrize("query", ["year=99999999999", "year=x", "day=2026-13-45", "day=%00", "year=1999"])
def test_a_strange_question_is_no_crash(client: Client, china: BusinessCalendar, query: str) -> None:
    client.force_login(make_user())
    assert client.get(f"{page(china)}?{query}").status_code == 200
    assert client.post(page(china, "nonsense")).status_code == 404
    assert client.post(page(china, "day"), {"day": "never", "what": "off"}).status_code == 422


def test_a_year_takes_the_same_queries_however_full(
    client: Client, china: BusinessCalendar, django_assert_max_num_queries: Any
) -> None:
    client.force_login(make_user())
    for year in (2026, 2027):
        with django_assert_max_num_queries(20):
            client.get(f"{page(china)}?year={year}")


def test_two_changes_at_once_are_not_both_right(china: BusinessCalendar) -> None:
    set_day(calendar_id=china.pk, day=date(2027, 5, 1), works=False, version=china.version)
    with pytest.raises(Conflict):
        set_day(calendar_id=china.pk, day=date(2027, 5, 2), works=False, version=china.version)
