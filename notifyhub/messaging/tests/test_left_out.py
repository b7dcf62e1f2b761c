"""Whoever began at a later step of a chain: the page says which steps were left out, and why as of now."""

import pytest
from django.test import Client
from django.urls import reverse

from notifyhub.customers.models import Consent, ContactPoint
from notifyhub.customers.services.consents import record_consent
from notifyhub.customers.services.suppressions import suppress
from notifyhub.customers.tests.factories import make_topic
from notifyhub.messaging.models import Delivery
from notifyhub.messaging.services.chains import steps_left_out, steps_of
from notifyhub.messaging.tests.kit.chains import THREE_STEPS, chained, memory_accounts
from notifyhub.messaging.tests.kit.sending import drain
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _accounts(client: Client) -> None:
    memory_accounts()
    client.force_login(make_user("operations"))


def page_of(client: Client, delivery: Delivery) -> str:
    return client.get(reverse("admin:messaging_delivery_page", args=[delivery.reference])).content.decode()


def test_a_person_without_a_mailbox_began_at_the_second_step(client: Client) -> None:
    dispatch = chained("auto", None)
    drain()
    began = Delivery.objects.get(dispatch_id=dispatch.pk, step=1)
    text = page_of(client, began)
    assert "1 · Email" in text
    assert "As of now: we have no contact point of theirs for this channel." in text
    first = Delivery.objects.get(dispatch_id=dispatch.pk, step=0)
    assert "As of now" not in page_of(client, first)
    assert [step.began for step in steps_of(dispatch)] == [1, 1]
    page = client.get(reverse("admin:messaging_dispatch_change", args=[dispatch.pk])).content.decode()
    assert "1 began here: no step before could reach them." in page


def test_each_step_left_out_has_its_own_reason() -> None:
    topic = make_topic()
    dispatch = chained("auto", chain=THREE_STEPS, topic=topic)
    customer = Consent.objects.filter(topic=topic).first().customer  # type: ignore[union-attr]
    record_consent(customer_id=customer.pk, topic=topic, channel="email", decision="out", source="phone_call")
    phone = ContactPoint.objects.get(customer=customer, kind="phone")
    suppress(
        kind="phone",
        value_hash=bytes(phone.value_hash),
        masked=phone.masked,
        reason="stop",
        note="Replied T",
    )
    drain()
    row = Delivery.objects.get(dispatch_id=dispatch.pk)
    assert row.step == 2
    first, second = steps_left_out(dispatch=dispatch, rows=[row])
    assert (first.number, first.label) == (1, "Email")
    assert "they opted out of Food deals on Email" in first.why
    assert "(On the phone)" in first.why
    assert (second.number, second.label) == (2, "SMS")
    assert "replied stop (Replied T)" in second.why


def test_what_would_pass_now_is_said_so() -> None:
    dispatch = chained(None)
    drain()
    row = Delivery.objects.get(dispatch_id=dispatch.pk)
    ContactPoint.objects.filter(kind="phone").update(valid=False)
    Delivery.objects.filter(pk=row.pk).update(step=1)
    assert steps_left_out(dispatch=dispatch, rows=[row])[0].why.startswith("As of now: we have no")
    row.channel, row.step = "email", 1
    dispatch.chain = list(reversed(dispatch.chain))
    ContactPoint.objects.filter(kind="phone").update(valid=True)
    (left,) = steps_left_out(dispatch=dispatch, rows=[row])
    assert left.why == "As of now they could be reached over it; when it was planned they could not."


def test_items_are_asked_for_their_own_contact_and_subject() -> None:
    topic = make_topic("orders", "service")
    dispatch = chained(None, topic=topic, message_class="service")
    drain()
    row = Delivery.objects.get(dispatch_id=dispatch.pk)
    (left,) = steps_left_out(dispatch=dispatch, rows=[row])
    assert "no contact point" in left.why
