"""The page of a message says in words what an account, a provider or a colleague answered."""

import pytest
from django.test import Client
from django.urls import reverse

from notifyhub.messaging.models import Delivery, Link
from notifyhub.messaging.services.receipts import settle_unknown
from notifyhub.messaging.tests.factories import make_delivery, make_dispatch, make_event, make_version
from notifyhub.messaging.tests.kit.sending import memory_account
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


def page_of(client: Client, delivery: Delivery) -> str:
    client.force_login(make_user("operations"))
    return client.get(reverse("admin:messaging_delivery_page", args=[delivery.reference])).content.decode()


def test_a_message_that_changed_its_account_says_which_did_not_take_it(client: Client) -> None:
    first, second = memory_account(name="Relay one"), memory_account(name="Relay two")
    delivery = make_delivery(make_dispatch(), 1, state=Delivery.State.SENT, account_id=second.pk)
    make_event(delivery, "retry", account_id=first.pk, code="connect", detail="refused")
    make_event(delivery, "sent", account_id=second.pk)
    text = page_of(client, delivery)
    assert "It went through Relay two, since Relay one did not take it." in text
    assert "No connection to the provider (refused)" in text
    assert "Not taken, to be tried again" in text
    assert "Will be tried again" not in text


def test_a_message_that_its_own_account_took_at_last_says_nothing_of_another(client: Client) -> None:
    account = memory_account(name="Relay one")
    delivery = make_delivery(make_dispatch(), 1, state=Delivery.State.SENT, account_id=account.pk)
    make_event(delivery, "retry", account_id=account.pk, code="421", detail="busy")
    make_event(delivery, "sent", account_id=account.pk)
    text = page_of(client, delivery)
    assert "It went through" not in text
    assert "421 busy" in text


def test_what_a_colleague_decided_is_told_in_words(client: Client) -> None:
    delivery = make_delivery(make_dispatch(), 1, state=Delivery.State.UNKNOWN, reason="ambiguous")
    settle_unknown(
        dispatch_id=delivery.dispatch_id, delivery_id=delivery.pk, sent=True, reason="The vendor shows it"
    )
    assert "It was handed over: The vendor shows it" in page_of(client, delivery)


def test_a_click_tells_where_the_link_leads(client: Client) -> None:
    version = make_version(("email", "en"))
    Link.objects.create(template_version=version, number=3, url="https://shop.example/hot-pot")
    delivery = make_delivery(make_dispatch(template_version=version), 1, state=Delivery.State.DELIVERED)
    make_event(delivery, "clicked", code="3")
    assert "https://shop.example/hot-pot" in page_of(client, delivery)
