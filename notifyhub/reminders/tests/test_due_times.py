"""When a step is due, against a slow and obvious calculation."""

import calendar
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from notifyhub.customers.models import Customer, Order
from notifyhub.customers.tests.factories import make_customer
from notifyhub.reminders.models import ReminderRule, ReminderStep, RuleVersion
from notifyhub.reminders.services.due_sql import due_rows, lines_of
from notifyhub.reminders.tests.factories import make_order
from notifyhub.staff.models import BusinessCalendar, CalendarDay

pytestmark = pytest.mark.django_db

# Zones whose rules no government is about to change: PostgreSQL and Python each bring their own copy.
ZONES = (
    "Asia/Shanghai",
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "America/Santiago",
    "Asia/Kathmandu",
)
MIDDLE = datetime(2026, 1, 1, tzinfo=UTC)
YEARS = timedelta(days=3650)


def on_the_clock(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment: in a gap moved on by what is left out, in a fold the first one."""
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def into_the_hours(local: datetime, start: time, end: time, *, forward: bool) -> datetime:
    """Return the nearest minute within the hours, walking one minute at a time."""
    step = timedelta(minutes=1 if forward else -1)
    while not (start <= local.time() <= end if start < end else local.time() >= start or local.time() <= end):
        local += step
    return local


def off_the_rest(local: datetime, rest: set[date], step: int) -> datetime:
    """Return the same time on the nearest day that is none of `rest`, walking a day at a time."""
    while local.date() in rest:
        local += timedelta(days=step)
    return local


def expected(
    anchor: datetime,
    *,
    step: ReminderStep,
    round_: int,
    zone: ZoneInfo,
    version: RuleVersion,
    rest: set[date],
) -> datetime | None:
    """Return when the step is due, None if a day off leaves it out."""
    before, after = (step.side == side and step.amount > 0 for side in ("before", "after"))
    amount = -step.amount if step.side == "before" else step.amount
    days = timedelta(days=round_ * (step.repeat_days or 0))
    if step.unit == "days":
        day = anchor.astimezone(zone).date() + timedelta(days=amount)
        local = datetime.combine(day, step.at_time) + days
        wanted = on_the_clock(local, zone)
    else:
        exact = anchor + timedelta(**{step.unit: amount})
        local = exact.astimezone(zone).replace(tzinfo=None, fold=0) + days
        wanted = on_the_clock(local, zone) if round_ else exact
    moved = local
    if version.send_from and version.send_until:
        moved = into_the_hours(local, version.send_from, version.send_until, forward=True)
        if before and moved > local and on_the_clock(moved, zone) > anchor:
            moved = into_the_hours(local, version.send_from, version.send_until, forward=False)
    if version.working_days:
        if version.off_day == "skip" and moved.date() in rest:
            return None
        asked, other = (-1, 1) if version.off_day == "before" else (1, -1)
        worked = off_the_rest(moved, rest, asked)
        moment = on_the_clock(worked, zone)
        if worked != moved and (
            (before and wanted <= anchor < moment) or (after and moment < anchor <= wanted)
        ):
            worked = off_the_rest(moved, rest, other)
        moved = worked
    return wanted if moved == local else on_the_clock(moved, zone)


def computed(
    version: RuleVersion, step: ReminderStep, customer: Customer
) -> dict[tuple[int, int], datetime | None]:
    """Return the due times as the database computes them over twenty years, by year and round."""
    sql, params = due_rows(
        version, lines_of([step]), now=MIDDLE, back=YEARS, ahead=YEARS, customer_ids=[customer.pk]
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT anchor_at, round, due_at, off FROM ({sql}) f", params)
        zone = ZoneInfo(customer.time_zone)
        return {
            (anchor.astimezone(zone).year, n): None if off else due
            for anchor, n, due, off in cursor.fetchall()
        }


def version_of(**fields: Any) -> RuleVersion:
    """Return a version that is not saved, counting from the payment's date unless told otherwise."""
    fields = {"start": "order", "date_field": "due_at", "number": 1, **fields}
    return RuleVersion(rule=ReminderRule(pk=1), **fields)


def step_of(amount: int, unit: str = "days", side: str = "before", **fields: Any) -> ReminderStep:
    """Return a step that is not saved."""
    return ReminderStep(number=1, amount=amount, unit=unit, side=side, **fields)


minutes = st.integers(0, 3 * 365 * 1440)
anchors = minutes.map(lambda n: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=n))
clocks = st.times(max_value=time(23, 59)).map(lambda t: t.replace(second=0, microsecond=0))
repeats = st.one_of(st.just((None, 1)), st.tuples(st.integers(1, 30), st.integers(2, 4)))
steps = st.builds(
    lambda amount, unit, side, at, repeat: step_of(
        amount, unit, side, at_time=at, repeat_days=repeat[0], repeat_max=repeat[1]
    ),
    st.integers(0, 400),
    st.sampled_from(["days", "hours", "minutes"]),
    st.sampled_from(["before", "after"]),
    clocks,
    repeats,
)
hours = st.one_of(st.just((None, None)), st.tuples(clocks, clocks).filter(lambda pair: pair[0] != pair[1]))
versions = st.builds(
    lambda pair, working, off: version_of(
        send_from=pair[0], send_until=pair[1], working_days=working, off_day=off
    ),
    hours,
    st.booleans(),
    st.sampled_from(["before", "after", "skip"]),
)
quietly = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
HOLIDAYS = {date(2023, 1, 1) + timedelta(days=97 * n + k) for n in range(30) for k in range(n % 9)}


@pytest.fixture
def rest() -> set[date]:
    """Make a calendar with long holidays and made-up Sundays the default; return its days off."""
    BusinessCalendar.objects.update(default=False)
    made = BusinessCalendar.objects.create(
        key="oracle", name="Oracle", weekdays=[1, 2, 3, 4, 5], default=True
    )
    sundays = {day + timedelta(days=6 - day.weekday()) for day in sorted(HOLIDAYS)[::7]} - HOLIDAYS
    CalendarDay.objects.bulk_create(
        [CalendarDay(calendar=made, day=day, works=False) for day in HOLIDAYS]
        + [CalendarDay(calendar=made, day=day, works=True) for day in sundays]
    )
    days: Iterable[date] = (date(2019, 1, 1) + timedelta(days=n) for n in range(5500))
    return {day for day in days if day in HOLIDAYS or (day.isoweekday() > 5 and day not in sundays)}


@quietly
@given(anchor=anchors, step=steps, zone=st.sampled_from(ZONES), version=versions)
# New York leaves out 02:30 on 8 March 2026, and has 01:30 twice on 1 November 2026.
@example(
    anchor=datetime(2026, 3, 9, 16, tzinfo=UTC),
    step=step_of(1, at_time=time(2, 30)),
    zone="America/New_York",
    version=version_of(),
)
@example(
    anchor=datetime(2026, 11, 2, 16, tzinfo=UTC),
    step=step_of(1, at_time=time(1, 30)),
    zone="America/New_York",
    version=version_of(),
)
@example(
    anchor=datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
    step=step_of(1, "hours", "after", at_time=time(0)),
    zone="America/New_York",
    version=version_of(),
)
# Lord Howe changes by half an hour: 02:15 on 4 October 2026 is left out, 01:45 on 5 April 2026 comes twice.
@example(
    anchor=datetime(2026, 10, 4, 20, tzinfo=UTC),
    step=step_of(1, at_time=time(2, 15)),
    zone="Australia/Lord_Howe",
    version=version_of(),
)
@example(
    anchor=datetime(2026, 4, 5, 20, tzinfo=UTC),
    step=step_of(1, at_time=time(1, 45)),
    zone="Australia/Lord_Howe",
    version=version_of(),
)
# At five in the morning nobody wants to hear of a flight at seven, nor at nine.
@example(
    anchor=datetime(2026, 5, 6, 23, tzinfo=UTC),
    step=step_of(2, "hours"),
    zone="Asia/Shanghai",
    version=version_of(send_from=time(9), send_until=time(21)),
)
# What is to come before a bill is due does not wait for the working day after it, nor the other way round.
@example(
    anchor=datetime(2026, 10, 4, 12, tzinfo=UTC),
    step=step_of(1),
    zone="Asia/Shanghai",
    version=version_of(working_days=True, off_day="after"),
)
@example(
    anchor=datetime(2026, 10, 2, 12, tzinfo=UTC),
    step=step_of(1, side="after"),
    zone="Asia/Shanghai",
    version=version_of(working_days=True, off_day="before"),
)
def test_an_orders_step_is_due_when_the_obvious_calculation_says(
    rest: set[date], anchor: datetime, step: ReminderStep, zone: str, version: RuleVersion
) -> None:
    customer = make_customer(time_zone=zone)
    make_order(customer, due_at=anchor)
    found = {n: due for (_year, n), due in computed(version, step, customer).items()}
    assert found == {
        n: expected(anchor, step=step, round_=n, zone=ZoneInfo(zone), version=version, rest=rest)
        for n in range(step.repeat_max)
    }
    Order.objects.all().delete()


@quietly
@given(born=st.dates(date(1930, 1, 1), date(2024, 12, 31)), step=steps, zone=st.sampled_from(ZONES))
@example(born=date(1992, 2, 29), step=step_of(0, at_time=time(9)), zone="Asia/Shanghai")
@example(born=date(1992, 3, 8), step=step_of(0, side="after", at_time=time(2, 15)), zone="America/New_York")
def test_a_birthday_is_due_each_year_when_the_obvious_calculation_says(
    born: date, step: ReminderStep, zone: str
) -> None:
    customer = make_customer(time_zone=zone, attributes={"birthday": born.isoformat()})
    version = version_of(start="customer", date_field="birthday", yearly=True)
    found = computed(version, step, customer)
    assert len(found) >= 19
    for (year, n), due in found.items():
        day = min(born.day, calendar.monthrange(year, born.month)[1])
        anchor = on_the_clock(datetime(year, born.month, day), ZoneInfo(zone))  # noqa: DTZ001
        assert due == expected(anchor, step=step, round_=n, zone=ZoneInfo(zone), version=version, rest=set())


def test_29_february_falls_on_the_28th_in_common_years() -> None:
    customer = make_customer(attributes={"birthday": "1992-02-29"})
    version = version_of(start="customer", date_field="birthday", yearly=True)
    found = computed(version, step_of(0, at_time=time(9)), customer)
    zone = ZoneInfo("Asia/Shanghai")
    days = {year: due.astimezone(zone).date() for (year, _n), due in found.items() if due}
    assert days[2028] == date(2028, 2, 29)
    assert days[2027] == date(2027, 2, 28)


def test_the_day_that_samoa_left_out_moves_to_the_day_after() -> None:
    customer = make_customer(time_zone="Pacific/Apia")
    make_order(customer, due_at=datetime(2011, 12, 31, 9, tzinfo=UTC))
    version = version_of()
    sql, params = due_rows(
        version,
        lines_of([step_of(1, at_time=time(10))]),
        now=datetime(2011, 12, 28, tzinfo=UTC),
        ahead=timedelta(days=9),
        customer_ids=[customer.pk],
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT due_at FROM ({sql}) f", params)
        (due,) = cursor.fetchone()
    # The order is due on the 31st there; the 30th did not exist.
    assert due.astimezone(ZoneInfo("Pacific/Apia")).replace(tzinfo=None) == datetime(2011, 12, 31, 10)  # noqa: DTZ001


def test_a_time_that_comes_twice_is_taken_at_the_first() -> None:
    customer = make_customer(time_zone="America/New_York")
    make_order(customer, due_at=datetime(2026, 11, 2, 16, tzinfo=UTC))
    found = computed(version_of(), step_of(1, at_time=time(1, 30)), customer)
    assert list(found.values()) == [datetime(2026, 11, 1, 5, 30, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("off_day", "side", "due"),
    [
        # Payment is due on Sunday evening: the day before and the day itself are days off, and so is Monday.
        ("after", "before", datetime(2026, 10, 2, 2, tzinfo=UTC)),
        ("before", "before", datetime(2026, 10, 2, 2, tzinfo=UTC)),
        ("after", "after", datetime(2026, 10, 6, 2, tzinfo=UTC)),
        ("before", "after", datetime(2026, 10, 6, 2, tzinfo=UTC)),
    ],
)
def test_a_day_off_never_moves_a_reminder_to_the_other_side_of_its_date(
    off_day: str, side: str, due: datetime
) -> None:
    BusinessCalendar.objects.update(default=False)
    made = BusinessCalendar.objects.create(
        key="long", name="Long weekend", weekdays=[1, 2, 3, 4, 5], default=True
    )
    CalendarDay.objects.create(calendar=made, day=date(2026, 10, 5), works=False)
    customer = make_customer(time_zone="Asia/Shanghai")
    make_order(customer, due_at=datetime(2026, 10, 4, 12, tzinfo=UTC))
    version = version_of(working_days=True, off_day=off_day)
    found = computed(version, step_of(1, side=side, at_time=time(10)), customer)
    assert list(found.values()) == [due]
