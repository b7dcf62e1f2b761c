"""A skipped message says which hold, which suppression or which consent stood behind the gate, then."""

import pytest
from django.test import Client
from django.urls import reverse

from notifyhub.customers.models import ContactPoint, Customer
from notifyhub.customers.services.consents import record_consent
from notifyhub.customers.services.holds import place_hold, release_hold
from notifyhub.customers.services.suppressions import suppress
from notifyhub.customers.tests.factories import make_customer, make_topic, opt_in
from notifyhub.messaging.models import Delivery, Dispatch
from notifyhub.messaging.tests.kit.sending import dispatch_to, drain, make_recipients, memory_account
from notifyhub.staff.context import Actor, acting
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _account(client: Client) -> None:
    memory_account()
    client.force_login(make_user("operations"))


def skipped(dispatch: Dispatch) -> Delivery:
    drain()
    delivery = Delivery.objects.get(dispatch_id=dispatch.pk)
    assert delivery.state == Delivery.State.SKIPPED
    return delivery


def page_of(client: Client, delivery: Delivery) -> str:
    return client.get(reverse("admin:messaging_delivery_page", args=[delivery.reference])).content.decode()


def test_a_hold_is_named_with_its_subject_and_who_placed_it(client: Client) -> None:
    (customer,) = make_recipients("auto")
    user = make_user("agent")
    with acting(Actor(kind="staff", id=user.pk, name=str(user))):
        hold = place_hold(customer_id=customer.pk, scope="subject", scope_value="order:H1", reason="Dispute")
        place_hold(customer_id=customer.pk, scope="subject", scope_value="order:H2", reason="Another")
    topic = make_topic("orders", "service")
    dispatch = dispatch_to([customer], message_class="service", topic=topic, subject_ref="order:H1")
    delivery = skipped(dispatch)
    text = page_of(client, delivery)
    assert "a hold on order:H1 was in force, placed at" in text
    assert f"by {user}" in text
    # What came later does not change what was then.
    release_hold(hold_id=hold.pk)
    assert "and released at" in page_of(client, delivery)


def test_a_hold_that_was_over_is_not_blamed(client: Client) -> None:
    (customer,) = make_recipients("auto")
    over = place_hold(customer_id=customer.pk, scope="channel", scope_value="email", reason="Once")
    release_hold(hold_id=over.pk)
    place_hold(customer_id=customer.pk, scope="promotions", reason="Now")
    text = page_of(client, skipped(dispatch_to()))
    assert "a hold on All promotions was in force" in text
    assert "a hold on Email" not in text


def test_a_suppression_says_why_since_when_and_from_where(client: Client) -> None:
    (customer,) = make_recipients("auto")
    contact = ContactPoint.objects.get(customer=customer, kind="email")
    suppress(
        kind="email",
        value_hash=bytes(contact.value_hash),
        masked=contact.masked,
        scope="all",
        reason="hard_bounce",
        note="12-345 550",
    )
    text = page_of(client, skipped(dispatch_to()))
    assert "for everything: bounced (12-345 550)" in text


def test_an_opt_out_says_when_and_where_it_was_given(client: Client) -> None:
    (customer,) = make_recipients("auto")
    topic = make_topic()
    facts = {"customer_id": customer.pk, "topic": topic, "channel": "email"}
    record_consent(**facts, decision="out", source="unsubscribe")
    delivery = skipped(dispatch_to())
    record_consent(**facts, decision="in", source="phone_call")
    text = page_of(client, delivery)
    assert "they opted out of Food deals on Email at" in text
    assert "(Unsubscribe link)" in text


def test_a_hold_of_another_app_is_named_in_the_readers_language(client: Client) -> None:
    (customer,) = make_recipients("auto")
    place_hold(
        customer_id=customer.pk,
        scope="promotions",
        reason="Three alerts",
        origin_kind="watch",
        origin_id="7",
    )
    delivery = skipped(dispatch_to())
    assert "by Alert 7" in page_of(client, delivery)
    client.cookies["django_language"] = "zh-hans"
    text = page_of(client, delivery)
    assert "警报 7" in text
    assert "watch 7" not in text


def test_a_missing_opt_in_says_what_was_recorded_later(client: Client) -> None:
    customer = make_customer()
    topic = make_topic()
    delivery = skipped(dispatch_to())
    text = page_of(client, delivery)
    assert "they have not opted in to Food deals on Email: no decision was on record." in text
    opt_in(customer, topic, "email")
    assert "“Opted in” was recorded later" in page_of(client, delivery)


def test_a_merged_customer_is_asked_as_the_one_they_are_now(client: Client) -> None:
    (customer,) = make_recipients("auto")
    other = make_customer(email=None)
    dispatch = dispatch_to([other], message_class="promotional")
    Customer.objects.filter(pk=other.pk).update(merged_into=customer, state="merged")
    place_hold(customer_id=customer.pk, scope="promotions", reason="Tired")
    assert "a hold on All promotions was in force" in page_of(client, skipped(dispatch))
