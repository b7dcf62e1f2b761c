"""A customer who refuses by a reply gets no more offers, until they ask for them again."""

import threading
from typing import Any

import pytest
from django.db import connection

from notifyhub.customers.models import Consent, ConsentRecord, Customer, Suppression
from notifyhub.customers.services.consents import record_consent
from notifyhub.customers.services.suppressions import lift, suppress_contact
from notifyhub.customers.tests.factories import make_customer, make_topic, opt_in
from notifyhub.messaging.models import Delivery, DeliveryEvent, InboundMessage, ProviderAccount
from notifyhub.messaging.services.replies import take_replies
from notifyhub.messaging.tests.kit.replies import gateway, last_reply, phone_of, push, sent_to
from notifyhub.messaging.tests.kit.sending import dispatch_to, drain, memory_account, reasons, states
from notifyhub.staff.models import AuditEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> ProviderAccount:
    """A gateway that only takes replies: what is sent goes through the memory account."""
    made = gateway(active=False)
    memory_account("sms", name="Memory")
    return made


def offer(customer: Customer, **fields: Any) -> dict[str, int]:
    """Send an SMS to the customer; return its states."""
    fields.setdefault("text", {"body": "Half price. Reply R to stop"})
    dispatch = dispatch_to([customer], chain=[{"channel": "sms"}], **fields)
    drain()
    return states(dispatch)


def reply(account: ProviderAccount, customer: Customer, text: str) -> InboundMessage:
    assert push(account, phone_of(customer), text) == 200
    take_replies()
    return last_reply()


def subscriber(**fields: Any) -> Customer:
    customer = make_customer(**fields)
    opt_in(customer, make_topic(), "sms", "email")
    return customer


def decisions(customer: Customer, channel: str = "sms") -> dict[str, str]:
    rows = Consent.objects.filter(customer=customer, channel=channel)
    return dict(rows.values_list("topic__code", "decision"))


@pytest.mark.parametrize("word", ["R", "退订", "退订 8820", "stop"])
def test_nothing_is_offered_after_a_refusal(account: ProviderAccount, word: str) -> None:
    customer = subscriber()
    assert offer(customer) == {"sent": 1}
    sent = Delivery.objects.get()
    stopped = reply(account, customer, word)
    assert (stopped.meaning, stopped.answers) == ("stop", sent.reference)
    assert decisions(customer) == {"food-deals": "out"}
    assert decisions(customer, "email") == {"food-deals": "in"}
    assert offer(customer) == {"skipped": 1}
    another = make_topic("hotel-deals")
    opt_in(customer, another, "sms")
    later = dispatch_to([customer], chain=[{"channel": "sms"}], topic=another, text={"body": "Rooms"})
    drain()
    assert reasons(later) == {"suppressed": 1}
    told = DeliveryEvent.objects.get(kind="unsubscribed")
    assert (told.delivery_id, told.code) == (sent.pk, "reply")
    verbs = set(AuditEntry.objects.filter(actor="customer's reply").values_list("verb", flat=True))
    assert verbs == {"record_consent", "suppress"}
    record = ConsentRecord.objects.filter(customer=customer, decision="out").latest("pk")
    assert (record.source, record.wording, record.proof) == ("reply", word, f"reply {stopped.pk}")


def test_what_was_accepted_before_the_refusal_does_not_go_out_either(account: ProviderAccount) -> None:
    customer = subscriber()
    dispatch = dispatch_to([customer], chain=[{"channel": "sms"}])
    reply(account, customer, "T")
    drain()
    assert states(dispatch) == {"skipped": 1}


def test_orders_and_codes_still_arrive(account: ProviderAccount) -> None:
    customer = subscriber()
    reply(account, customer, "TD")
    assert offer(customer, message_class="transactional", topic=None) == {"sent": 1}


def test_who_answers_a_service_message_refuses_that_class_too(account: ProviderAccount) -> None:
    customer = subscriber()
    bills = make_topic("bills", "service")
    sent_to(customer, account, message_class="service", topic=bills)
    reply(account, customer, "N")
    assert decisions(customer) == {"food-deals": "out", "bills": "out"}
    assert offer(customer, message_class="service", topic=bills) == {"skipped": 1}


def test_without_a_message_it_is_offers_as_a_whole_and_nothing_else(account: ProviderAccount) -> None:
    customer = subscriber()
    make_topic("hotel-deals")
    bills = make_topic("bills", "service")
    stopped = reply(account, customer, "R")
    assert stopped.answers == ""
    assert decisions(customer) == {"food-deals": "out", "hotel-deals": "out"}
    assert offer(customer, message_class="service", topic=bills) == {"sent": 1}


def test_everybody_with_that_number_is_left_in_peace_also_who_comes_later(account: ProviderAccount) -> None:
    one, two = subscriber(phone="13800008888"), subscriber(phone="13800008888")
    reply(account, one, "R")
    assert decisions(one) == decisions(two) == {"food-deals": "out"}
    third = subscriber(phone="13800008888")
    assert offer(third) == {"skipped": 1}


def test_an_unknown_number_is_kept_from_offers(account: ProviderAccount) -> None:
    push(account, "13800009999", "R")
    take_replies()
    assert offer(subscriber(phone="13800009999")) == {"skipped": 1}


def test_refusing_twice_records_once(account: ProviderAccount) -> None:
    customer = subscriber()
    assert offer(customer) == {"sent": 1}
    for word in ("R", "R", "退订"):
        reply(account, customer, word)
    assert ConsentRecord.objects.filter(customer=customer, decision="out").count() == 1
    assert DeliveryEvent.objects.filter(kind="unsubscribed").count() == 1
    assert Suppression.objects.count() == 1


def test_asking_again_opens_what_the_reply_closed_and_nothing_more(account: ProviderAccount) -> None:
    customer = subscriber()
    refused, never = make_topic("hotel-deals"), make_topic("travel-deals")
    opt_in(customer, refused, "sms", decision="out")
    reply(account, customer, "R")
    reply(account, customer, "R")
    reply(account, customer, "START")
    assert decisions(customer) == {"food-deals": "in", "hotel-deals": "out", never.code: "out"}
    assert not Suppression.objects.in_force().exists()
    assert offer(customer) == {"sent": 1}
    # Once opened, a second word opens nothing.
    record_consent(customer_id=customer.pk, topic=make_topic(), channel="sms", decision="out", source="phone")
    reply(account, customer, "START")
    assert decisions(customer)["food-deals"] == "out"


def test_asking_again_does_not_undo_what_was_decided_since_by_another_way(account: ProviderAccount) -> None:
    customer = subscriber()
    reply(account, customer, "R")
    topic = make_topic()
    for decision in ("in", "out"):
        record_consent(customer_id=customer.pk, topic=topic, channel="sms", decision=decision, source="app")
    lift(suppression_id=Suppression.objects.get().pk, reason="asked by phone")
    suppress_contact(kind="phone", raw=phone_of(customer), scope="promotional", note="asked by phone")
    reply(account, customer, "订阅")
    assert decisions(customer) == {"food-deals": "out"}
    assert Suppression.objects.in_force().get().reason == "manual"


def test_asking_without_having_refused_changes_nothing(account: ProviderAccount) -> None:
    customer = make_customer()
    make_topic()
    assert reply(account, customer, "START").meaning == "start"
    assert not Consent.objects.exists()
    assert not ConsentRecord.objects.exists()


def test_of_two_workers_none_handles_a_word_before_an_earlier_one(transactional_db: None) -> None:
    account, customer = gateway(), make_customer()
    opt_in(customer, make_topic(), "sms")
    for n in range(20):
        push(account, phone_of(customer), "R" if n % 2 == 0 else "START")

    def go() -> None:
        take_replies()
        connection.close()

    threads = [threading.Thread(target=go) for _n in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    take_replies()
    assert not InboundMessage.objects.filter(handled_at=None).exists()
    assert decisions(customer) == {"food-deals": "in"}
    records = (
        ConsentRecord.objects.filter(customer=customer).order_by("pk").values_list("decision", flat=True)
    )
    assert list(records) == ["in"] + ["out", "in"] * 10
