"""The pages about events: the catalogue, names of other systems, what was put aside, the policy."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from notifyhub.customers.models import (
    Customer,
    Event,
    EventMapping,
    EventName,
    EventPolicy,
    EventProperty,
    ParkedEvent,
)
from notifyhub.customers.services.events import EventIn, record_events
from notifyhub.customers.services.events.catalogue import count_events
from notifyhub.customers.services.events.policy import change_policy
from notifyhub.customers.services.events.waiting import match_parked
from notifyhub.customers.tests.factories import make_customer
from notifyhub.customers.tests.test_event_catalogue import settle, told
from notifyhub.staff.models import AuditEntry, User
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db

CATALOGUE = reverse("admin:customers_eventname_changelist")
PARKED = reverse("admin:customers_parkedevent_changelist")
POLICY = reverse("admin:customers_eventpolicy_changelist")
MAPPINGS = reverse("admin:customers_eventmapping_changelist")


def page(client: Client, url: str, **query: Any) -> str:
    answer = client.get(url, query)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def fill(*events: EventIn) -> None:
    record_events(list(events))
    settle()
    count_events()


def test_the_catalogue_shows_names_numbers_and_warnings(client: Client, operator: Any) -> None:
    make_customer(external_id="E1")
    fill(told("m1", sku="A", price=3), told("m2", price="free"), told("m3", "order_seen"))
    EventProperty.objects.filter(key="price").update(expected="number")
    EventName.objects.create(name="bill_due", purpose="Starts the bill reminders")
    shown = page(client, CATALOGUE)
    for words in ("cart_changed", "order_seen", "unexpected type", "never seen", "Starts the bill reminders"):
        assert words in shown
    assert "order_seen" not in page(client, CATALOGUE, show="odd")
    assert "cart_changed" not in page(client, CATALOGUE, show="never")
    details = page(
        client,
        reverse("admin:customers_eventname_change", args=[EventName.objects.get(name="cart_changed").pk]),
    )
    assert "1 not Number" in details
    assert "50%" in details


def test_the_catalogue_asks_as_much_for_many_events_as_for_few(client: Client, operator: Any) -> None:
    make_customer(external_id="E1")
    fill(told("m0"))
    page(client, CATALOGUE)
    with CaptureQueriesContext(connection) as few:
        page(client, CATALOGUE)
    fill(*(told(f"m{n}", f"event_{n}", a=1, b=2) for n in range(40)))
    with CaptureQueriesContext(connection) as many:
        page(client, CATALOGUE)
    assert len(many) == len(few)


def test_staff_describe_an_event_and_its_properties(client: Client, operator: Any) -> None:
    make_customer(external_id="E1")
    fill(told("m1", diagnosis="flu"))
    event, row = EventName.objects.get(), EventProperty.objects.get()
    url = reverse("admin:customers_eventname_change", args=[event.pk])
    said = {
        "purpose": "Cart recall",
        "owner": operator.pk,
        "owner_team": "",
        "keep_days": "30",
        "version": "1",
    }
    assert client.post(url, said).status_code == 302
    event.refresh_from_db()
    assert (event.purpose, event.owner, event.keep_days) == ("Cart recall", operator, 30)
    stale = client.post(url, {**said, "purpose": "Typed in vain"})
    assert stale.status_code == 422
    assert "Typed in vain" in stale.content.decode()
    address = reverse("admin:customers_eventproperty", args=[row.pk])
    assert "flu" in page(client, address)
    client.post(address, {"purpose": "", "sensitivity": "sensitive", "expected": "text", "version": "1"})
    assert "flu" not in page(client, address)
    assert "flu" not in page(client, url)
    assert set(AuditEntry.objects.values_list("verb", flat=True)) >= {"describe_event"}


def test_a_name_is_written_down_before_it_comes(client: Client, operator: Any) -> None:
    assert client.post(CATALOGUE, {"name": "bill_due", "purpose": "x"}).status_code == 302
    for name in ("bill_due", "Bill due!"):
        answer = client.post(CATALOGUE, {"name": name})
        assert answer.status_code == 422
        assert 'role="alert"' in answer.content.decode()


def test_mappings_are_written_changed_and_removed(client: Client, operator: Any) -> None:
    assert "Order Completed" in page(client, MAPPINGS)
    add = reverse("admin:customers_eventmapping_add")
    assert "amount_paid = total" in page(client, add, told="Order Completed")
    wrong = client.post(add, {"told": "下单", "name": "order_placed", "properties": "nonsense"})
    assert wrong.status_code == 422
    client.post(add, {"told": "下单", "name": "order_placed", "properties": "order_number = 单号"})
    row = EventMapping.objects.get()
    assert row.properties == {"order_number": "单号"}
    url = reverse("admin:customers_eventmapping_change", args=[row.pk])
    changed = {"told": "下单", "name": "order_paid", "properties": "", "version": str(row.version)}
    assert client.post(url, changed).status_code == 302
    assert client.post(url, changed).status_code == 422
    assert EventMapping.history.count() == 2
    assert page(client, reverse("admin:customers_eventmapping_history", args=[row.pk]))
    client.post(reverse("admin:customers_eventmapping_remove", args=[row.pk]))
    assert not EventMapping.objects.exists()


def park() -> ParkedEvent:
    """Have one event wait for a customer nobody knows."""
    change_policy(unknown="park", waiting_days=30, version=None)
    said = {
        "external_id": "E77",
        "phone": "13800001111",
        "properties": {"note": "fang@mail.example", "sku": "A1"},
    }
    result = record_events(
        [EventIn(message_id="m1", name="cart_changed", occurred_at=timezone.now(), source="api:x", **said)]
    )
    assert (result.accepted, result.parked) == (0, 1)
    return ParkedEvent.objects.get()


def test_events_of_unknown_customers_wait_when_the_policy_says_so(
    client: Client, operator: Any, django_capture_on_commit_callbacks: Any
) -> None:
    row = park()
    assert not Customer.objects.exists()
    assert b"13800001111" not in bytes(row.sealed)
    shown = page(client, PARKED)
    assert "138****1111" in shown
    assert "A1" in shown
    for secret in ("13800001111", "fang@mail.example"):
        assert secret not in shown
    assert match_parked() == 0
    with django_capture_on_commit_callbacks(execute=True):
        customer = make_customer(external_id="E77")
    assert Event.objects.get().customer == customer
    row.refresh_from_db()
    assert row.state == "taken"
    assert "Nothing was put aside" in page(client, PARKED)
    assert "138****1111" in page(client, PARKED, state="taken")


def test_the_tick_takes_what_a_lost_hint_left(client: Client) -> None:
    park()
    make_customer(external_id="E77")
    assert match_parked() == 1
    assert match_parked() == 0


def test_parked_events_are_tried_again_and_discarded_by_hand(client: Client, operator: Any) -> None:
    row = park()
    nothing = client.post(PARKED, {"row": [row.pk], "do": "retry"}, follow=True)
    assert "0 of 1 were taken" in nothing.content.decode()
    assert client.post(PARKED, {"row": [row.pk], "do": "discard", "reason": ""}).status_code == 422
    assert client.post(PARKED, {"do": "retry"}).status_code == 422
    client.post(PARKED, {"row": [row.pk], "do": "discard", "reason": "a test of the shop"})
    row.refresh_from_db()
    assert (row.state, row.ended_reason, row.payload, row.keys) == ("discarded", "a test of the shop", {}, [])
    assert client.post(PARKED, {"row": [row.pk], "do": "retry"}).status_code == 422
    change_policy(unknown="create", waiting_days=30, version=None)
    verbs = set(AuditEntry.objects.values_list("verb", flat=True))
    assert {"retry_parked_events", "discard_parked_events", "change_event_policy"} <= verbs


def test_a_refused_event_says_why_in_the_readers_language(client: Client, operator: Any) -> None:
    record_events([told("m1", "Order Paid!"), told("m2", "order_paid")])
    shown = page(client, PARKED, why="refused")
    assert "Write the event&#x27;s name like order_paid." in shown
    assert "needs an order number" in shown


def test_the_parked_list_asks_as_much_for_many_as_for_few(client: Client, operator: Any) -> None:
    record_events([told("m0", "Bad!")])
    page(client, PARKED)
    with CaptureQueriesContext(connection) as few:
        page(client, PARKED)
    record_events([told(f"m{n}", f"Bad {n}!", a=n) for n in range(45)])
    with CaptureQueriesContext(connection) as many:
        page(client, PARKED)
    assert len(many) == len(few)


def test_the_policy_is_changed_with_its_history(client: Client, operator: Any) -> None:
    assert "Create a provisional customer" in page(client, POLICY)
    said = {"unknown": "park", "waiting_days": "10", "version": "1"}
    assert client.post(POLICY, said).status_code == 302
    assert client.post(POLICY, said).status_code == 422
    assert EventPolicy.objects.get().unknown == "park"
    assert page(client, reverse("admin:customers_eventpolicy_history", args=[1]))


def test_each_role_sees_and_does_its_part(client: Client) -> None:
    make_customer(external_id="E1")
    fill(told("m1", sku="A"), told("m2", "Bad!"))
    event, row = EventName.objects.get(), EventProperty.objects.get()
    addresses = {
        "catalogue": CATALOGUE,
        "event": reverse("admin:customers_eventname_change", args=[event.pk]),
        "property": reverse("admin:customers_eventproperty", args=[row.pk]),
        "mappings": MAPPINGS,
        "mapping": reverse("admin:customers_eventmapping_add"),
        "parked": PARKED,
        "policy": POLICY,
        "import": reverse("admin:customers_event_import"),
    }
    reads = {
        "operations": set(addresses),
        "analyst": {"catalogue", "event", "property", "mappings", "parked", "policy"},
        "marketing_editor": {"catalogue", "event", "property", "mappings"},
        "content_editor": {"catalogue", "event", "mappings"},
        "service_lead": {"catalogue", "event", "mappings", "parked", "policy"},
        "agent": set(),
    }
    for role, may in reads.items():
        client.force_login(make_user(role))
        seen = {name for name, url in addresses.items() if client.get(url).status_code == 200}
        assert seen == may, role
    client.force_login(User.objects.get(username="analyst"))
    for url in (PARKED, POLICY, addresses["mapping"]):
        assert client.post(url, {"row": [1], "do": "retry"}).status_code == 403
    client.force_login(User.objects.get(username="service_lead"))
    assert client.post(addresses["event"], {"purpose": "x"}).status_code == 403


def test_old_parked_events_are_forgotten(client: Client) -> None:
    from datetime import timedelta

    from notifyhub.customers.services.events.waiting import forget_parked

    park()
    assert forget_parked() == 0
    assert forget_parked(now=timezone.now() + timedelta(days=31)) == 1


def test_who_is_erased_leaves_nothing_parked(client: Client) -> None:
    from notifyhub.customers.services.privacy import erase_customer, export_personal_data

    row = park()
    customer = make_customer(external_id="E78", phone="13800001111")
    copy = export_personal_data(customer_id=customer.pk, reason="asked for it")
    assert copy["data"]["customers.ParkedEvent"][0]["name"] == "cart_changed"
    erase_customer(customer_id=customer.pk, reason="asked for it")
    assert not ParkedEvent.objects.filter(pk=row.pk).exists()
