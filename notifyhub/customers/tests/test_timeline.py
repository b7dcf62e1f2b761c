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
    with CaptureQueriesContext(connection) as few:
        timeline_page(customer_id=customer.pk, request=request)
    add_events(customer, [START + timedelta(minutes=n) for n in range(80)])
    for n in range(40):
        Order.objects.create(
            customer=customer, number=f"O-{n}", line="food", told_at=START + timedelta(minutes=n)
        )
    with django_assert_num_queries(len(few)):
        timeline_page(customer_id=customer.pk, request=request)
