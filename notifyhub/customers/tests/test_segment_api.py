"""What Segment's clients send: who, what, when, and what becomes of the bad ones."""

import base64
import gzip
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from notifyhub.customers.models import Alias, Customer, Event, EventMapping, Order, ParkedEvent
from notifyhub.customers.services.events.waiting import take_waiting
from notifyhub.customers.tests.factories import make_customer
from notifyhub.staff.services.api_keys import create_api_key

pytestmark = pytest.mark.django_db

NOW = timezone.now()


class Segment:
    """A client with a write key, as the official ones send."""

    def __init__(self, *scopes: str) -> None:
        self.token = create_api_key(name="segment", scopes=list(scopes or ("events:write",)))[1]
        self.client = Client()

    def post(self, path: str, body: Any, *, packed: bool = False, token: str | None = None) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        name = base64.b64encode(f"{self.token if token is None else token}:".encode()).decode()
        headers = {"Authorization": f"Basic {name}"}
        if packed:
            raw, headers["Content-Encoding"] = gzip.compress(raw), "gzip"
        return self.client.post(f"/v1/{path}", raw, content_type="application/json", headers=headers)

    def batch(self, *messages: Any, **more: Any) -> Any:
        return self.post("batch", {"batch": list(messages), **more})


@pytest.fixture
def segment() -> Segment:
    return Segment()


def track(event: str = "Page Seen", user: str = "U1", **more: Any) -> dict[str, Any]:
    return {"type": "track", "event": event, "userId": user, "timestamp": NOW.isoformat(), **more}


def test_a_track_is_taken_once_and_named_our_way(segment: Segment) -> None:
    told = track("Product Viewed", messageId="m1", properties={"sku": "A"})
    for _ in range(2):
        answer = segment.post("track", told)
        assert (answer.status_code, answer.json()) == (200, {"success": True})
    event = Event.objects.get()
    assert (event.name, event.properties, event.message_id) == ("product_viewed", {"sku": "A"}, "m1")
    assert event.source.startswith("segment:")
    assert Customer.objects.get(external_id="U1").provisional


def test_an_identify_fills_the_customer_and_takes_word_of_context(segment: Segment) -> None:
    traits = {
        "firstName": "Fang", "lastName": "Wang", "email": "Fang@Mail.Example", "phone": "138 0000 1111",
        "address": {"city": "杭州"}, "birthday": "1990-3-2", "plan": "gold", "createdAt": None,
    }  # fmt: skip
    context = {"locale": "en-US", "timezone": "Asia/Tokyo"}
    segment.post("identify", {"userId": 77, "anonymousId": "a-1", "traits": traits, "context": context})
    customer = Customer.objects.get(external_id="77")
    assert (customer.name, customer.city, customer.locale) == ("Fang Wang", "杭州", "en")
    assert (customer.time_zone, customer.provisional) == ("Asia/Tokyo", False)
    assert customer.attributes["birthday"] == "1990-03-02"
    assert customer.attributes["plan"] == "gold"
    assert {p.masked for p in customer.contact_points.all()} == {"138****1111", "f***@mail.example"}
    assert Alias.objects.get().customer_id == customer.pk
    # What was said of a person is with the person, not a second time in the event.
    assert "Fang" not in json.dumps(Event.objects.get(name="identified").properties)


def test_an_older_word_of_a_customer_does_not_replace_a_newer_one(segment: Segment) -> None:
    def named(name: str, hours: int) -> dict[str, Any]:
        at = (NOW - timedelta(hours=hours)).isoformat()
        return {"type": "identify", "userId": "U1", "traits": {"name": name}, "timestamp": at}

    segment.batch(named("New", 1), named("Old", 2))
    assert Customer.objects.get().name == "New"
    segment.batch(named("Older", 3))
    assert Customer.objects.get().name == "New"
    assert Event.objects.filter(name="identified").count() == 3


def test_visitors_wait_until_they_say_who_they_are(
    segment: Segment, django_capture_on_commit_callbacks: Any
) -> None:
    visit = {"type": "page", "anonymousId": "a-9", "name": "Home", "messageId": "v1"}
    segment.batch(visit)
    parked = ParkedEvent.objects.get()
    assert (parked.why, parked.state, parked.name) == ("anonymous", "waiting", "page_viewed")
    assert b"a-9" not in bytes(parked.sealed)
    assert not Customer.objects.exists()
    with django_capture_on_commit_callbacks(execute=True):
        segment.post("identify", {"userId": "U9", "anonymousId": "a-9"})
    customer = Customer.objects.get()
    assert Event.objects.get(name="page_viewed").customer_id == customer.pk
    parked.refresh_from_db()
    assert parked.state == "taken"
    segment.batch({**visit, "messageId": "v2"})
    assert Event.objects.filter(name="page_viewed", customer=customer).count() == 2


def test_an_alias_makes_a_former_id_mean_the_customer(segment: Segment) -> None:
    segment.post("alias", {"previousId": "old", "userId": "new"})
    segment.batch(track(user="old", messageId="m1"), track(user="new", messageId="m2"))
    assert Customer.objects.count() == 1
    assert Event.objects.filter(name="page_seen", customer__external_id="new").count() == 2


def test_an_alias_never_takes_another_customer_over(segment: Segment) -> None:
    make_customer(external_id="U1")
    make_customer(external_id="U2")
    assert segment.post("alias", {"previousId": "U1", "userId": "U2"}).status_code == 400
    assert not Alias.objects.exists()
    assert ParkedEvent.objects.get().field == "previousId"


def test_segments_purchase_moves_our_order(segment: Segment) -> None:
    segment.post(
        "track", track("Order Completed", properties={"order_id": "H1", "total": 58.5, "currency": "CNY"})
    )
    order = Order.objects.get()
    assert (order.number, order.state, float(order.amount_paid)) == ("H1", "paid", 58.5)
    assert Event.objects.get().order_number == "H1"


def test_a_mapping_by_hand_goes_before_the_built_in_name(segment: Segment) -> None:
    EventMapping.objects.create(told="下单", name="order_placed", properties={"order_number": "单号"})
    segment.post("track", track("下单", properties={"单号": "H7"}))
    assert Order.objects.get().number == "H7"


def test_a_wrong_clock_is_corrected_by_when_it_was_sent(segment: Segment) -> None:
    wrong = NOW + timedelta(days=3)
    segment.batch(
        track(messageId="m1", timestamp=(wrong - timedelta(hours=2)).isoformat()), sentAt=wrong.isoformat()
    )
    said = Event.objects.get().occurred_at
    assert abs(said - (timezone.now() - timedelta(hours=2))) < timedelta(minutes=1)


def test_bad_messages_of_a_batch_are_kept_in_view_and_hold_up_nobody(segment: Segment) -> None:
    answer = segment.batch(
        track(messageId="m1"),
        7,
        {"type": "track", "userId": "U1"},
        track("下单", messageId="m3"),
        {"type": "moon", "userId": "U1"},
        track(messageId="m5", properties={"big": "x" * 33_000}),
        track(messageId="m6", timestamp="yesterday"),
        track("Order Completed", messageId="m7", properties={"total": "much", "order_id": "H1"}),
        track(messageId="m8"),
    )
    assert answer.json() == {"success": True}
    assert set(Event.objects.values_list("message_id", flat=True)) == {"m1", "m8"}
    waiting = ParkedEvent.objects.filter(why="refused", state="waiting")
    assert waiting.count() == 7
    assert set(waiting.values_list("field", flat=True)) == {
        "batch", "event", "name", "type", "timestamp", "properties.amount_due",
    }  # fmt: skip
    assert all(row.reason for row in waiting)


def test_a_trait_that_cannot_be_used_is_told_and_the_others_count(segment: Segment) -> None:
    segment.post("identify", {"userId": "U1", "messageId": "m1", "traits": {"name": "Li Lei", "phone": "12"}})
    assert Customer.objects.get().name == "Li Lei"
    assert ParkedEvent.objects.get().field == "traits.phone"


def test_what_was_refused_for_its_name_is_taken_once_it_is_mapped(segment: Segment) -> None:
    from notifyhub.customers.services.events.waiting import retry_parked

    segment.batch(track("下单", messageId="m1", properties={"单号": "H7"}))
    EventMapping.objects.create(told="下单", name="order_placed", properties={"order_number": "单号"})
    assert take_waiting() == 0
    assert retry_parked(ids=list(ParkedEvent.objects.values_list("pk", flat=True))) == 1
    assert Order.objects.get().number == "H7"


def test_gzip_is_unpacked_and_never_further_than_allowed(segment: Segment) -> None:
    assert segment.post("batch", {"batch": [track()]}, packed=True).status_code == 200
    bomb = b'{"batch": [' + b" " * 50_000_000 + b"]}"
    answer = segment.post("batch", bomb, packed=True)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert segment.post("batch", b" " * 600_000).status_code == 413
    name = base64.b64encode(f"{segment.token}:".encode()).decode()
    headers = {"Authorization": f"Basic {name}", "Content-Encoding": "gzip"}
    for raw in (b"not gzip", gzip.compress(b"{}")[:-6]):
        answer = segment.client.post("/v1/batch", raw, content_type="application/json", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_gzip")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b'{"batch": []}', b'{"batch": 1}', b"[" * 90_000])
def test_a_body_nobody_can_read_is_a_clear_400(segment: Segment, body: bytes) -> None:
    answer = segment.post("batch", body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"success", "code", "message"}


def test_the_key_is_the_user_name_and_nothing_else_goes(segment: Segment) -> None:
    for token in ("", "nh_0123456789.wrong", "x" * 500):
        answer = segment.post("track", track(), token=token)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert Client().post("/v1/track", {}, content_type="application/json").status_code == 401
    bearer = {"Authorization": f"Bearer {segment.token}"}
    answer = segment.client.post("/v1/track/", json.dumps(track()), content_type="text/plain", headers=bearer)
    assert answer.status_code == 200
    assert Segment("customers:read").post("track", track()).status_code == 403
    assert segment.client.get("/v1/track", headers=bearer).status_code == 405


def test_groups_pages_and_screens_become_events(segment: Segment) -> None:
    segment.batch(
        {"type": "group", "userId": "U1", "groupId": "g", "traits": {"name": "Shop"}},
        {"type": "screen", "userId": "U1", "name": "Cart", "category": "Buy"},
        {"type": "page", "userId": "U1", "properties": {"url": "/x"}},
    )
    told = {event.name: event.properties for event in Event.objects.all()}
    assert told == {
        "group_joined": {"group_id": "g", "name": "Shop"},
        "screen_viewed": {"name": "Cart", "category": "Buy"},
        "page_viewed": {"url": "/x"},
    }


def test_queries_do_not_grow_with_the_batch(segment: Segment, django_assert_max_num_queries: Any) -> None:
    messages = [
        message
        for n in range(150)
        for message in (
            {
                "type": "identify",
                "userId": f"U{n}",
                "anonymousId": f"a{n}",
                "traits": {"email": f"u{n}@m.example"},
            },
            track("Order Completed", f"U{n}", properties={"order_id": f"H{n}", "total": 5}),
            {"type": "page", "anonymousId": f"b{n}"},
            track("坏"),
        )
    ]
    with django_assert_max_num_queries(50):
        assert segment.batch(*messages).status_code == 200
    assert Order.objects.count() == 150
