"""Replying as the customer where nothing leaves the house, and the list of what came in."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from notifyhub.customers.models import Consent, Suppression
from notifyhub.customers.tests.factories import make_customer, make_topic, opt_in
from notifyhub.messaging.models import Delivery, InboundMessage, ProviderAccount
from notifyhub.messaging.services.replies import take_replies
from notifyhub.messaging.tests.kit.replies import gateway, phone_of, push, sent_to
from notifyhub.messaging.tests.kit.sending import dispatch_to, drain
from notifyhub.staff.models import AuditEntry
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def delivered() -> Delivery:
    """An offer by SMS that arrived in the sandbox."""
    customer = make_customer(name="Liu Min")
    opt_in(customer, make_topic(), "sms")
    dispatch_to([customer], chain=[{"channel": "sms"}], text={"body": "Half price. Reply R to stop"})
    drain()
    return Delivery.objects.get()


def where(delivery: Delivery) -> str:
    return reverse("admin:messaging_delivery_reply", args=[delivery.reference])


def test_one_can_refuse_as_the_customer_and_sees_it_on_the_phone(client: Client, delivered: Delivery) -> None:
    client.force_login(make_user("marketing_editor"))
    page = client.get(reverse("admin:messaging_delivery_sandbox")).content.decode()
    assert where(delivered) in page
    assert "Reply as Liu Min" in page
    answer = client.post(where(delivered), {"text": "退订"}, follow=True)
    assert "no more offers go to this contact point" in answer.content.decode()
    assert "fr-bubble--theirs" in answer.content.decode()
    assert Consent.objects.get().decision == "out"
    assert Suppression.objects.get().reason == "stop"
    assert AuditEntry.objects.filter(verb="reply_in_sandbox").count() == 1
    back = client.post(where(delivered), {"text": "START", "back": "message"})
    assert back["Location"] == reverse("admin:messaging_delivery_page", args=[delivered.reference])
    assert Consent.objects.get().decision == "in"
    assert "Reply as Liu Min" in client.get(back["Location"]).content.decode()


@pytest.mark.parametrize("text", ["", "  ", "x" * 5000])
def test_nothing_and_too_much_are_refused_in_words(client: Client, delivered: Delivery, text: str) -> None:
    client.force_login(make_user("marketing_editor"))
    assert client.post(where(delivered), {"text": text}, follow=True).status_code == 200
    assert not InboundMessage.objects.exists()


def test_a_message_of_a_real_account_cannot_be_answered_by_hand(client: Client) -> None:
    row = sent_to(make_customer(), gateway())
    client.force_login(make_user("operations"))
    page = reverse("admin:messaging_delivery_page", args=[row.reference])
    assert where(row) not in client.get(page).content.decode()
    answer = client.post(where(row), {"text": "R", "back": "message"}, follow=True)
    assert "Only a message in the sandbox" in answer.content.decode()
    assert not InboundMessage.objects.exists()


def test_who_may_only_look_sees_no_box_and_gets_a_403(client: Client, delivered: Delivery) -> None:
    client.force_login(make_user("analyst"))
    assert where(delivered) not in client.get(reverse("admin:messaging_delivery_sandbox")).content.decode()
    assert client.post(where(delivered), {"text": "R"}).status_code == 403
    client.force_login(make_user("marketing_editor"))
    assert client.get(where(delivered)).status_code == 405
    assert client.post(where(delivered).replace(delivered.reference, "1-x"), {"text": "R"}).status_code == 404


def test_the_list_has_every_reply_also_those_of_unknown_numbers(client: Client) -> None:
    account, customer = gateway(), make_customer()
    push(account, phone_of(customer), "First <b>bold</b>")
    push(account, "13911112222", "R")
    take_replies()
    client.force_login(make_user("agent"))
    listed = reverse("admin:messaging_inboundmessage_changelist")
    page = client.get(listed).content.decode()
    assert "First &lt;b&gt;bold&lt;/b&gt;" in page
    assert "139****2222" in page
    assert "13911112222" not in page
    assert client.get(listed, {"meaning__exact": "stop"}).content.decode().count("139****2222") == 1
    number = InboundMessage.objects.latest("pk").pk
    assert client.get(reverse("admin:messaging_inboundmessage_change", args=[number])).status_code == 302
    client.force_login(make_user("department_member"))
    assert client.get(listed).status_code == 403


def test_the_list_asks_equally_often_for_any_number_of_rows(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    account = gateway()
    client.force_login(make_user("agent"))
    listed = reverse("admin:messaging_inboundmessage_changelist")
    counts = []
    for _turn in range(2):
        for _n in range(5):
            customer = make_customer()
            sent_to(customer, account)
            push(account, phone_of(customer), "Hello there")
        take_replies()
        client.get(listed)
        with django_assert_max_num_queries(40) as found:
            client.get(listed)
        counts.append(len(found))
    assert counts[0] == counts[1]
    assert ProviderAccount.objects.filter(pk=account.pk).exists()
