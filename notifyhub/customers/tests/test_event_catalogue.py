"""The catalogue counts by itself; what is personal never gets into it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from notifyhub.core.errors import Conflict
from notifyhub.core.partitions import create_month_partition, partitions_of
from notifyhub.customers.models import Event, EventBookmark, EventKey, EventName, EventProperty
from notifyhub.customers.services.events import EventIn, record_events
from notifyhub.customers.services.events.catalogue import add_event_name, count_events, describe_property
from notifyhub.customers.services.events.retention import forget_events
from notifyhub.customers.services.events.showing import HIDDEN, masks_of, shown_properties
from notifyhub.customers.tests.factories import make_customer

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def told(message_id: str, name: str = "cart_changed", source: str = "api:x", **properties: Any) -> EventIn:
    return EventIn(
        message_id=message_id,
        name=name,
        occurred_at=NOW,
        external_id="E1",
        properties=properties,
        source=source,
    )


def settle() -> None:
    """Put what was recorded far enough back for the followers, who stay behind the clock."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE customers_event SET received_at = received_at - interval '1 hour'")
        cursor.execute("UPDATE customers_eventbookmark SET upto = upto - interval '1 hour'")
        # A partition is not dropped while a foreign key of this transaction is still to be checked.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_names_properties_types_and_examples_are_counted_once() -> None:
    make_customer(external_id="E1")
    record_events(
        [
            told(
                "m1", sku="A", price=3, gift=True, tags=["x"], receiver_name="王芳", note="call 13800001111"
            ),
            told("m2", sku="B", price="free", box={"a": 1}, mail="fang@mail.example"),
            told("m3", "page_viewed", "segment:y"),
        ]
    )
    settle()
    assert count_events() == 1
    count_events()
    name = EventName.objects.get(name="cart_changed")
    assert (name.total, name.sources, name.days.get().count) == (2, ["api"], 2)
    found = {one.key: one for one in name.properties.all()}
    assert (found["price"].texts, found["price"].numbers) == (1, 1)
    assert (found["sku"].examples, found["gift"].booleans) == (["A", "B"], 1)
    assert (found["tags"].lists, found["box"].records) == (1, 1)
    for key in ("receiver_name", "mail"):
        assert (found[key].sensitivity, found[key].examples) == ("personal", [])


def test_a_name_typed_ahead_is_filled_when_it_comes() -> None:
    make_customer(external_id="E1")
    ahead = add_event_name(name="bill_due", purpose="Starts the bill reminders")
    assert (ahead.total, ahead.last_at) == (0, None)
    record_events([told("m1", "bill_due")])
    settle()
    count_events()
    ahead.refresh_from_db()
    assert (ahead.total, ahead.purpose) == (1, "Starts the bill reminders")


def test_what_becomes_sensitive_loses_its_examples_and_is_masked_wherever_it_is_shown() -> None:
    make_customer(external_id="E1")
    record_events([told("m1", diagnosis="flu", sku="A")])
    settle()
    count_events()
    row = EventProperty.objects.get(key="diagnosis")
    describe_property(property_id=row.pk, changes={"sensitivity": "sensitive"}, version=row.version)
    with pytest.raises(Conflict):
        describe_property(property_id=row.pk, changes={"purpose": "x"}, version=row.version)
    row.refresh_from_db()
    assert row.examples == []
    shown = dict(
        shown_properties("cart_changed", {"diagnosis": "flu", "sku": "A"}, masks_of(["cart_changed"]))
    )
    assert shown == {"diagnosis": HIDDEN, "sku": "A"}
    record_events([told("m2", diagnosis="cold")])
    settle()
    count_events()
    row.refresh_from_db()
    assert (row.examples, row.texts) == ([], 2)


def test_properties_read_like_words_and_guard_what_nobody_declared() -> None:
    said = {
        "amount_due": "58.5", "gift": True, "items": [{"sku": "A", "n": 2}, {"sku": "B", "n": 1}],
        "contact": "fang@mail.example", "tel": "13800001111", "empty": None, "order_number": "20261120000123",
    }  # fmt: skip
    assert dict(shown_properties("x", said, {})) == {
        "Amount due": "¥ 58.50",
        "gift": "yes",
        "items": "sku: A, n: 2, sku: B, n: 1",
        "contact": "f***@mail.example",
        "tel": "138****1111",
        "order number": "20261120000123",
    }


def test_made_up_keys_fill_no_catalogue() -> None:
    make_customer(external_id="E1")
    for part in range(3):
        record_events([told(f"m{part}", **{f"k{part}_{n}": n for n in range(120)})])
        settle()
        count_events()
    assert EventProperty.objects.count() <= 200


def back_date(name: str, days: int) -> None:
    Event.objects.filter(name=name).update(received_at=NOW - timedelta(days=days))
    ids = Event.objects.filter(name=name).values_list("message_id", flat=True)
    EventKey.objects.filter(pk__in=list(ids)).update(received_at=NOW - timedelta(days=days))


def test_events_are_kept_as_long_as_their_name_or_the_house_says(settings: Any) -> None:
    settings.KEEP_DAYS = {**settings.KEEP_DAYS, "events": 30}
    make_customer(external_id="E1")
    names = {"page_viewed": 10, "cart_changed": 20, "order_seen": 20, "bill_due": 40, "contract_signed": 60}
    record_events([told(name, name) for name in names])
    settle()
    for name, age in names.items():
        back_date(name, age)
    EventName.objects.create(name="cart_changed", keep_days=14)
    EventName.objects.create(name="contract_signed", keep_days=90)
    forget_events(now=NOW)
    assert set(Event.objects.values_list("name", flat=True)) == {
        "page_viewed",
        "order_seen",
        "contract_signed",
    }
    # Known is known, as long as anything is kept: a replay of last month brings nothing back.
    assert EventKey.objects.filter(pk="bill_due").exists()
    forget_events(now=NOW + timedelta(days=95))
    assert not Event.objects.exists()
    assert not EventKey.objects.exists()


def test_whole_months_go_as_partitions_and_a_name_kept_for_ever_stays(settings: Any) -> None:
    settings.KEEP_DAYS = {**settings.KEEP_DAYS, "events": 30}
    old = create_month_partition("customers_event", NOW - timedelta(days=200))
    forget_events(now=NOW)
    assert old not in {one.name for one in partitions_of("customers_event")}
    make_customer(external_id="E1")
    EventName.objects.create(name="contract_signed", keep_days=0)
    record_events([told("m1", "contract_signed"), told("m2", "page_viewed")])
    settle()
    forget_events(now=NOW + timedelta(days=5000))
    assert Event.objects.get().name == "contract_signed"


def test_the_catalogue_begins_with_what_was_there_before_it(django_assert_max_num_queries: Any) -> None:
    make_customer(external_id="E1")
    record_events([told(f"m{n}", sku=str(n)) for n in range(50)])
    settle()
    with django_assert_max_num_queries(14):
        count_events()
    assert EventName.objects.get().total == 50
    assert EventBookmark.objects.filter(name="catalogue").exists()
