"""When a step is due, against a slow and obvious calculation."""

import calendar
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from notifyhub.customers.models import Customer, Order
from notifyhub.customers.tests.factories import make_customer
from notifyhub.reminders.models import ReminderRule, ReminderStep
from notifyhub.reminders.services.due_sql import due_rows
from notifyhub.reminders.tests.factories import make_order

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
)


def on_the_clock(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return the moment: in a gap moved on by what is left out, in a fold the later one."""
    local = datetime.combine(day, at, tzinfo=zone)
    early, late = local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC)
    exists = early.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None)
    return late if exists else early


def expected(anchor: datetime, *, amount: int, unit: str, side: str, at: time, zone: ZoneInfo) -> datetime:
    """Return when the step is due."""
    signed = -amount if side == "before" else amount
    if unit == "hours":
        return anchor + timedelta(hours=signed)
    return on_the_clock(anchor.astimezone(zone).date() + timedelta(days=signed), at, zone)


def computed(rule: ReminderRule, step: ReminderStep, customer: Customer) -> dict[int, datetime]:
    """Return the due times as the database computes them over twenty years, by year of the anchor."""
    sql, params = due_rows(rule, step, back="3650 days", ahead="3650 days", customer_id=customer.pk)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT anchor_at, due_at FROM ({sql}) f", params)
        zone = ZoneInfo(customer.time_zone)
        return {anchor.astimezone(zone).year: due for anchor, due in cursor.fetchall()}


anchors = st.integers(0, 12 * 365 * 1440).map(
    lambda minutes: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
clocks = st.times(max_value=time(23, 59)).map(lambda t: t.replace(second=0, microsecond=0))
steps = st.builds(
    ReminderStep,
    number=st.just(1),
    amount=st.integers(0, 400),
    unit=st.sampled_from(["days", "hours"]),
    side=st.sampled_from(["before", "after"]),
    at_time=clocks,
)
quietly = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@quietly
@given(
    anchor=anchors,
    step=steps,
    zone=st.sampled_from(ZONES),
)
# New York leaves out 02:30 on 8 March 2026, and has 01:30 twice on 1 November 2026.
@example(
    anchor=datetime(2026, 3, 9, 16, tzinfo=UTC),
    step=ReminderStep(number=1, amount=1, unit="days", side="before", at_time=time(2, 30)),
    zone="America/New_York",
)
@example(
    anchor=datetime(2026, 11, 2, 16, tzinfo=UTC),
    step=ReminderStep(number=1, amount=1, unit="days", side="before", at_time=time(1, 30)),
    zone="America/New_York",
)
@example(
    anchor=datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
    step=ReminderStep(number=1, amount=1, unit="hours", side="after", at_time=time(0)),
    zone="America/New_York",
)
def test_an_orders_step_is_due_when_the_obvious_calculation_says(
    anchor: datetime, step: ReminderStep, zone: str
) -> None:
    customer = make_customer(time_zone=zone)
    make_order(customer, due_at=anchor)
    rule = ReminderRule(pk=1, anchor="order.due_at")
    wanted = expected(
        anchor, amount=step.amount, unit=step.unit, side=step.side, at=step.at_time, zone=ZoneInfo(zone)
    )
    assert list(computed(rule, step, customer).values()) == [wanted]
    Order.objects.all().delete()


@quietly
@given(
    born=st.dates(date(1930, 1, 1), date(2024, 12, 31)),
    step=steps,
    zone=st.sampled_from(ZONES),
)
@example(
    born=date(1992, 2, 29),
    step=ReminderStep(number=1, amount=0, unit="days", side="before", at_time=time(9)),
    zone="Asia/Shanghai",
)
@example(
    born=date(1992, 3, 8),
    step=ReminderStep(number=1, amount=0, unit="days", side="after", at_time=time(2, 15)),
    zone="America/New_York",
)
def test_a_birthday_is_due_each_year_when_the_obvious_calculation_says(
    born: date, step: ReminderStep, zone: str
) -> None:
    customer = make_customer(time_zone=zone, attributes={"birthday": born.isoformat()})
    rule = ReminderRule(pk=1, anchor="customer.date", attribute="birthday")
    found = computed(rule, step, customer)
    assert len(found) >= 19
    for year, due in found.items():
        day = min(born.day, calendar.monthrange(year, born.month)[1])
        anchor = on_the_clock(date(year, born.month, day), time(0), ZoneInfo(zone))
        assert due == expected(
            anchor, amount=step.amount, unit=step.unit, side=step.side, at=step.at_time, zone=ZoneInfo(zone)
        )


def test_29_february_falls_on_the_28th_in_common_years() -> None:
    customer = make_customer(attributes={"birthday": "1992-02-29"})
    step = ReminderStep(number=1, amount=0, unit="days", side="before", at_time=time(9))
    found = computed(ReminderRule(pk=1, anchor="customer.date", attribute="birthday"), step, customer)
    zone = ZoneInfo("Asia/Shanghai")
    days = {year: due.astimezone(zone).date() for year, due in found.items()}
    assert days[2028] == date(2028, 2, 29)
    assert days[2027] == date(2027, 2, 28)
