"""Events by API: each once, unknown customers made, orders moved by what was told last."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from notifyhub.core.partitions import month_bounds
from notifyhub.customers.models import Customer, Event, EventKey, Order
from notifyhub.customers.periodic import make_event_partitions
from notifyhub.customers.services.events import EventIn, record_events
from notifyhub.customers.tests.factories import make_customer
from notifyhub.customers.tests.test_api import Api

pytestmark = pytest.mark.django_db

URL = "/api/v1/events"
NOW = timezone.now()


@pytest.fixture
def api() -> Api:
    return Api("events:write")


def event(message_id: str = "m1", name: str = "order_paid", hours: float = 1, **more: Any) -> dict[str, Any]:
    at = (NOW - timedelta(hours=hours)).isoformat()
    return {"message_id": message_id, "name": name, "occurred_at": at, "external_id": "E1", **more}


def test_a_message_is_taken_once(api: Api) -> None:
    make_customer(external_id="E1")
    first = api.post(URL, event(order_number="H1"))
    assert (first.status_code, first.json()["accepted"]) == (202, 1)
    assert api.post(URL, event(order_number="H1")).json() == {
        "accepted": 0,
        "repeated": 1,
        "parked": 0,
        "customers_created": 0,
        "errors": [],
    }
    twice = {"batch": [event("m2", "page_seen"), event("m2", "page_seen")]}
    assert api.post(URL, twice).json()["repeated"] == 1
    assert Event.objects.count() == EventKey.objects.count() == 2


def test_unknown_customers_are_created_provisional(api: Api) -> None:
    known = make_customer(external_id="E1", phone="13800001111")
    batch = [
        event("m1", "page_seen", external_id="E1"),
        event("m2", "page_seen", external_id="", phone="+86 138-0000-1111"),
        event("m3", "page_seen", external_id="E9", phone="13900002222"),
        event("m4", "page_seen", external_id=None, phone="139 0000 2222"),
    ]
    assert api.post(URL, {"batch": batch}).json()["customers_created"] == 1
    made = Customer.objects.get(external_id="E9")
    assert made.provisional
    assert set(Event.objects.values_list("customer_id", flat=True)) == {known.pk, made.pk}
    known.refresh_from_db()
    assert known.version == 1


def test_an_order_follows_what_was_told_last_in_whatever_order_it_arrives(api: Api) -> None:
    customer = make_customer(external_id="E1")
    stay = {"line": "hotel", "merchant": "如家", "amount_due": "398.00", "check_in": "2026-12-01"}
    api.post(URL, event("m3", "booking_cancelled", 1, order_number="H1"))
    api.post(URL, event("m1", "booking_placed", 3, order_number="H1", properties=stay))
    api.post(URL, event("m2", "booking_paid", 2, order_number="H1", properties={"amount_paid": 398}))
    order = Order.objects.get()
    assert (order.state, order.line, order.merchant, order.customer) == (
        "cancelled",
        "hotel",
        "如家",
        customer,
    )
    assert (order.amount_due, order.amount_paid) == (398, 398)
    assert order.placed_at == NOW - timedelta(hours=3)
    assert order.told_at == NOW - timedelta(hours=1)
    customer.refresh_from_db()
    assert (customer.last_order_at, customer.version) == (order.placed_at, 1)


def test_of_two_statements_of_one_moment_the_further_one_stands(api: Api) -> None:
    make_customer(external_id="E1")
    api.post(URL, event("m1", "order_paid", order_number="H1"))
    api.post(URL, event("m2", "order_placed", order_number="H1"))
    assert Order.objects.get().state == "paid"


def test_the_order_of_somebody_else_is_not_taken_over(api: Api) -> None:
    make_customer(external_id="E1")
    make_customer(external_id="E2")
    api.post(URL, event("m1", "order_placed", order_number="H1"))
    answer = api.post(URL, event("m2", "order_paid", order_number="H1", external_id="E2"))
    assert answer.status_code == 422
    assert Order.objects.get().state == "placed"
    # Nothing was kept of it, so the platform may send it again put right.
    assert api.post(URL, event("m2", "order_paid", order_number="H1")).json()["accepted"] == 1


def test_good_events_of_a_batch_go_in_and_bad_ones_are_named(api: Api) -> None:
    make_customer(external_id="E1")
    batch = [
        event("m1"),
        event("m2", "page_seen"),
        event("m3", "order_placed", order_number="H2", properties={"amount_due": "much"}),
        {"name": "x"},
        event("m5", "page_seen", external_id="", phone="1"),
    ]
    body = api.post(URL, {"batch": batch}).json()
    assert body["accepted"] == 1
    assert [(e["index"], next(iter(e["errors"]))) for e in body["errors"]] == [
        (0, "order_number"),
        (2, "properties.amount_due"),
        (3, "message_id"),
        (4, "phone"),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Order Paid!"},
        {"occurred_at": "2099-01-01T00:00:00Z"},
        {"occurred_at": "yesterday"},
        {"external_id": ""},
        {"properties": {"a": "x" * 33_000}},
        {"properties": {"a": "\x00"}},
        {"properties": []},
        {"message_id": "m" * 121},
        {"order_number": "H" * 65},
        {"name": "order_placed", "order_number": "H1", "properties": {"line": "moon"}},
        {"name": "order_placed", "order_number": "H1", "properties": {"due_at": "0001-01-01T00:00:00+14:00"}},
        {"name": "order_placed", "order_number": "H1", "properties": {"amount_due": -1}},
        {"name": "order_placed", "order_number": "H1", "properties": {"currency": "yuan"}},
    ],
)
def test_a_bad_event_is_a_problem(api: Api, change: dict[str, Any]) -> None:
    answer = api.post(URL, {**event(name="page_seen"), **change})
    assert answer.status_code == 422, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert not Event.objects.exists()


@pytest.mark.parametrize("body", ['{"batch": []}', '{"batch": 1}', '{"batch": [1]}', "[]"])
def test_a_bad_batch_is_a_problem(api: Api, body: str) -> None:
    assert api.post(URL, body).status_code == 400


def test_the_number_of_queries_does_not_grow_with_the_batch(api: Api, django_assert_max_num_queries) -> None:
    batch = [event(f"m{n}", "order_paid", external_id=f"E{n}", order_number=f"H{n}") for n in range(1000)]
    with django_assert_max_num_queries(50):
        assert api.post(URL, {"batch": batch}).json()["accepted"] == 1000
    assert Order.objects.count() == 1000


def test_events_from_inside_go_the_same_way() -> None:
    make_customer(external_id="E1")
    told = EventIn(message_id="case:1:closed", name="case_closed", occurred_at=NOW, external_id="E1")
    assert record_events([told]).accepted == 1
    assert record_events([told]).repeated == 1
    assert Event.objects.get().source == "internal"


def test_the_partitions_of_the_next_months_are_there() -> None:
    from django.db import connection

    assert make_event_partitions() == 4
    start, _end = month_bounds(NOW, ahead=3)
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [f"customers_event_{start:%Y%m}"])
        assert cursor.fetchone()[0] is not None
