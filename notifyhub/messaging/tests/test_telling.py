"""What became of a message is told to the customers app: each thing once, whoever reports it and when."""

import time
from datetime import timedelta
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from notifyhub.customers.models import Customer, Event
from notifyhub.customers.services.events.following import MARGIN
from notifyhub.customers.services.merging import merge_customers
from notifyhub.customers.services.timeline import events
from notifyhub.customers.tests.factories import make_customer
from notifyhub.messaging.models import Delivery
from notifyhub.messaging.services.preferences import find_link, unsubscribe
from notifyhub.messaging.services.receipts import Receipt, record_receipts
from notifyhub.messaging.services.telling import tell_own_events
from notifyhub.messaging.tests.factories import make_delivery, make_dispatch, make_event, make_version
from notifyhub.messaging.tracking.hits import Hit, write_hits

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(days=30)


@pytest.fixture(autouse=True)
def _bookmark(db: None) -> None:
    tell_own_events(start=timezone.now() - LONG_AGO)


def told() -> list[tuple[str, int]]:
    """Tell what is new and return everything told so far, as (name, customer)."""
    tell_own_events(upto=timezone.now())
    rows = Event.objects.filter(source=Event.OWN).order_by("id")
    return list(rows.values_list("name", "customer_id"))


def message(**fields: Any) -> Delivery:
    customer = fields.pop("customer", None) or make_customer()
    return make_delivery(make_dispatch(**{"message_class": "service", **fields}), customer.pk)


def report(delivery: Delivery, kind: str, **fields: Any) -> None:
    receipt = {"at": timezone.now(), **fields}
    record_receipts(
        [Receipt(dispatch_id=delivery.dispatch_id, delivery_id=delivery.pk, kind=kind, **receipt)]
    )


def test_reports_become_events_once_however_often_they_come() -> None:
    one = message()
    for kind in ("delivered", "read", "clicked", "clicked"):
        report(one, kind)
    expected = [(f"message_{kind}", one.customer_id) for kind in ("clicked", "delivered", "read")]
    assert sorted(told()) == expected
    report(one, "clicked")
    assert sorted(told()) == expected


def test_a_report_with_an_old_clock_is_not_missed() -> None:
    one = message()
    told()
    report(one, "delivered", at=timezone.now() - timedelta(days=3))
    assert told() == [("message_delivered", one.customer_id)]
    assert Event.objects.get().occurred_at < timezone.now() - timedelta(days=2)


def test_that_a_promotion_arrived_is_not_told_but_its_click_is() -> None:
    one = message(message_class="promotional")
    report(one, "delivered")
    report(one, "clicked")
    assert told() == [("message_clicked", one.customer_id)]


def test_what_the_engine_delivered_itself_is_told_by_its_own_clock() -> None:
    one = message()
    make_event(one, "delivered", worker="w:1")
    assert told() == [("message_delivered", one.customer_id)]


def test_robots_are_no_customers_and_an_opening_is_told_as_an_estimate() -> None:
    one, other = message(), message()
    now = timezone.now() + timedelta(minutes=1)
    write_hits([Hit(one.dispatch_id, one.pk, now, link=1, automatic=True)])
    write_hits([Hit(other.dispatch_id, other.pk, now)])
    assert told() == [("message_opened", other.customer_id)]


def test_an_unsubscription_a_complaint_and_a_bounce_are_told() -> None:
    version = make_version()
    one, other, third = message(version=version), message(version=version), message(version=version)
    link = find_link(dispatch_id=one.dispatch_id, delivery_id=one.pk)
    assert link is not None
    unsubscribe(link=link)
    report(other, "complained")
    report(third, "bounced")
    assert {name for name, _customer in told()} == {
        "message_unsubscribed",
        "message_complained",
        "message_bounced",
    }


def test_the_event_says_which_message_by_which_channel_and_about_which_order() -> None:
    one = message(subject_ref="order:F-1", origin_kind="reminder", origin_id="7", version=make_version())
    report(one, "clicked")
    told()
    event = Event.objects.get()
    assert event.order_number == "F-1"
    assert event.message_id == f"message:{one.pk}:clicked"
    assert event.properties["channel"] == "email"
    assert event.properties["delivery"] == one.pk
    assert event.properties["origin"] == "reminder:7"
    assert event.properties["template"].startswith("template-")


def test_a_merged_customer_is_told_of_under_whom_they_became_and_an_erased_one_not() -> None:
    kept, merged, erased = make_customer(), make_customer(), make_customer()
    mine, theirs = message(customer=merged), message(customer=erased)
    merge_customers(kept_id=kept.pk, merged_id=merged.pk)
    Customer.objects.filter(pk=erased.pk).update(state=Customer.State.ERASED)
    report(mine, "clicked")
    report(theirs, "clicked")
    assert told() == [("message_clicked", kept.pk)]


def test_the_timeline_shows_no_message_twice() -> None:
    one = message()
    report(one, "clicked")
    told()
    assert not events(customer_id=one.customer_id, before=None, limit=25, request=None)


@pytest.mark.django_db(transaction=True)
def test_a_report_that_commits_late_is_told_all_the_same() -> None:
    early, late = message(), message()
    reported, told_once = Flag(), Flag()

    def report_slowly() -> None:
        try:
            with transaction.atomic():
                report(early, "clicked")
                reported.set()
                told_once.wait(30)
        finally:
            connection.close()

    thread = Thread(target=report_slowly)
    thread.start()
    reported.wait(30)
    report(late, "clicked")
    time.sleep(MARGIN.total_seconds() + 0.2)
    tell_own_events()
    told_once.set()
    thread.join()
    time.sleep(MARGIN.total_seconds() + 0.2)
    tell_own_events()
    tell_own_events()
    rows = Event.objects.filter(source=Event.OWN).values_list("customer_id", flat=True)
    assert sorted(rows) == sorted([early.customer_id, late.customer_id])
