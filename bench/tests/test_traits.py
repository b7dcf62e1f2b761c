"""The one statement and the plain loop of the same formulas give the same portraits."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.baselines.python_traits import portrait
from notifyhub.customers.models import Customer, CustomerTrait, Event, Order
from notifyhub.customers.services.traits import read_settings, refresh_range, renew_portraits

pytestmark = pytest.mark.django_db
numbers = count(1)
MINUTES = st.integers(min_value=1, max_value=500 * 1440)
ORDERS = st.lists(
    st.tuples(
        MINUTES,
        st.sampled_from([("food", "A"), ("food", "B"), ("hotel", "C"), ("travel", "")]),
        st.sampled_from(["CNY", "CNY", "HKD"]),
        st.integers(0, 500),
        st.sampled_from(["completed", "paid", "placed", "cancelled", "refunded"]),
        st.sampled_from(["杭州", "三亚", ""]),
    ),
    max_size=9,
    unique_by=lambda row: row[0],
)
EVENTS = st.lists(
    st.tuples(
        MINUTES,
        st.sampled_from(
            [
                ("message_clicked", "own"),
                ("message_read", "own"),
                ("message_bounced", "own"),
                ("cart_updated", "shop"),
            ]
        ),
        st.sampled_from(["push", "sms"]),
        st.integers(1, 5),
    ),
    max_size=9,
    unique_by=lambda row: row[0],
)
ZONES = st.sampled_from(["Asia/Shanghai", "America/New_York", "Asia/Kathmandu"])


def make(days: int, zone: str, orders: list[Any], events: list[Any], now: datetime) -> Customer:
    customer = Customer.objects.create(name="X", time_zone=zone)
    Customer.objects.filter(pk=customer.pk).update(created_at=now - timedelta(days=days, seconds=9))
    customer.refresh_from_db()
    for minutes, (line, merchant), currency, amount, state, city in orders:
        at = now - timedelta(minutes=minutes, seconds=9)
        Order.objects.create(
            customer=customer,
            number=f"N{next(numbers)}",
            line=line,
            merchant=merchant,
            city=city,
            currency=currency,
            state=state,
            amount_due=amount,
            amount_paid=amount if state != "placed" else 0,
            amount_refunded=amount if state == "refunded" else Decimal(amount) / 4,
            placed_at=at,
            told_at=at,
        )
    for minutes, (name, source), channel, delivery in events:
        at = now - timedelta(minutes=minutes, seconds=9)
        Event.objects.create(
            customer=customer,
            name=name,
            source=source,
            occurred_at=at,
            received_at=at,
            properties={"channel": channel, "delivery": delivery},
            message_id=f"m{next(numbers)}",
        )
    return customer


def found(customer: Customer) -> dict[str, Any]:
    row = CustomerTrait.objects.filter(pk=customer.pk).values().get()
    del row["customer_id"], row["computed_at"]
    return row


@given(days=st.integers(0, 400), zone=ZONES, orders=ORDERS, events=EVENTS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_statement_says_what_the_loop_says(
    days: int, zone: str, orders: list[Any], events: list[Any]
) -> None:
    now = timezone.now()
    customer = make(days, zone, orders, events, now)
    expected = portrait(
        customer,
        Order.objects.filter(customer=customer),
        list(Event.objects.filter(customer=customer)),
        read_settings(),
        now,
    )
    renew_portraits(ids=[customer.pk])
    assert found(customer) == expected
    CustomerTrait.objects.filter(pk=customer.pk).delete()
    refresh_range(lo=customer.pk - 1, hi=customer.pk)
    assert found(customer) == expected


def test_hours_and_weekdays_are_those_of_the_customer() -> None:
    monday = datetime(2026, 11, 16, 1, 30, tzinfo=UTC)
    customer = make(400, "America/New_York", [], [], monday)
    for week in range(2):
        at = monday - timedelta(weeks=week)
        number = f"W{next(numbers)}"
        Order.objects.create(customer=customer, number=number, line="food", placed_at=at, told_at=at)
    renew_portraits(ids=[customer.pk])
    row = found(customer)
    assert (row["favourite_hour"], row["favourite_weekday"]) == (20, 7)
