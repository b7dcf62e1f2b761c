from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from notifyhub.customers.models import Event, Order
from notifyhub.customers.services.holds import place_hold
from notifyhub.customers.services.timeline import timeline_page
from notifyhub.customers.tests.factories import make_customer, make_topic, opt_in
from notifyhub.staff.models import User
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 1, tzinfo=UTC)


def looking() -> Any:
    """Return a request of somebody who may see everything."""
    request = RequestFactory().get("/")
    request.user = User.objects.filter(username="root").first() or make_user()
    return request


def all_titles(customer_id: int, **kwargs: Any) -> list[str]:
    request, seen, before = looking(), [], None
    for _ in range(50):
        page = timeline_page(customer_id=customer_id, request=request, before=before, **kwargs)
        seen += [entry.title for entry in page.entries]
        before = page.before
        if before is None:
            return seen
    raise AssertionError("The timeline does not end")


def add_events(customer: Any, moments: list[datetime]) -> None:
    Event.objects.bulk_create(
        Event(
            customer=customer,
            name=f"e{n}",
            occurred_at=at,
            received_at=START,
            source="api",
            message_id=str(n),
        )
        for n, at in enumerate(moments)
    )


def test_pages_by_key_show_each_entry_once_newest_first() -> None:
    customer = make_customer()
    add_events(customer, [START + timedelta(minutes=n) for n in range(60)])
    assert all_titles(customer.pk) == [f"e{n}" for n in reversed(range(60))]


def test_entries_of_one_moment_are_not_lost_between_pages() -> None:
    customer = make_customer()
    add_events(customer, [START + timedelta(minutes=n // 7) for n in range(70)])
    assert sorted(all_titles(customer.pk, limit=10)) == sorted(f"e{n}" for n in range(70))


def test_it_mixes_orders_events_consents_and_holds_and_filters_by_kind() -> None:
    customer = make_customer()
    add_events(customer, [START])
    Order.objects.create(customer=customer, number="O-1", line="food", merchant="Noodles", told_at=START)
    opt_in(customer, make_topic(), "sms")
    place_hold(customer_id=customer.pk, scope="promotions", reason="x")
    titles = [str(title) for title in all_titles(customer.pk)]
    assert set(titles) == {"e0", "Noodles", "Food deals", "Hold placed"}
    assert all_titles(customer.pk, kind="order") == ["Noodles"]
    assert len(all_titles(customer.pk, kind="consent")) == 2


def test_a_page_of_the_timeline_takes_as_many_queries_for_many_entries_as_for_few(
    django_assert_num_queries: Any,
) -> None:
    customer, request = make_customer(), looking()
    add_events(customer, [START - timedelta(minutes=1)])
    with CaptureQueriesContext(connection) as few:
        timeline_page(customer_id=customer.pk, request=request)
    add_events(customer, [START + timedelta(minutes=n) for n in range(80)])
    for n in range(40):
        Order.objects.create(
            customer=customer, number=f"O-{n}", line="food", told_at=START + timedelta(minutes=n)
        )
    with django_assert_num_queries(len(few)):
        timeline_page(customer_id=customer.pk, request=request)


def test_events_read_as_words_with_what_is_sensitive_masked() -> None:
    from notifyhub.customers.models import EventName, EventProperty
    from notifyhub.customers.services.events import EventIn, record_events

    customer = make_customer(external_id="E1")
    said = {"amount_due": 58.5, "merchant": "如家", "card": "6222", "mail": "fang@mail.example"}
    record_events(
        [
            EventIn(
                message_id="m1",
                name="order_paid",
                occurred_at=START,
                external_id="E1",
                order_number="H1",
                properties=said,
                source="segment:abc",
            )
        ]
    )
    event = EventName.objects.create(name="order_paid")
    EventProperty.objects.create(event=event, key="card", sensitivity="sensitive")
    entry = timeline_page(customer_id=customer.pk, request=looking(), kind="event").entries[0]
    assert str(entry.title) == "Order paid"
    assert entry.detail == (
        "H1 · card •••• · mail f***@mail.example · Merchant 如家 · Amount due ¥ 58.50 · segment"
    )
    assert entry.url.endswith("?q=H1")


def test_events_are_filtered_by_name() -> None:
    customer = make_customer()
    add_events(customer, [START + timedelta(minutes=n) for n in range(40)])
    Event.objects.filter(message_id__in=["3", "30"]).update(name="rare")
    assert all_titles(customer.pk, kind="event", event="rare") == ["rare", "rare"]
