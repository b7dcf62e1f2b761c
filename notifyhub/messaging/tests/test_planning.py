"""Planning: who is written to, who is not and why, and that doing it twice changes nothing."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from notifyhub.core.errors import Refused
from notifyhub.customers.models import ContactPoint, Customer, Hold, Suppression
from notifyhub.customers.tests.factories import make_customer, make_topic, opt_in
from notifyhub.messaging.engine import planner
from notifyhub.messaging.engine.planner import open_scheduled, plan_chunk, plan_dispatch
from notifyhub.messaging.models import Batch, Delivery, Dispatch, SendingPolicy
from notifyhub.messaging.services.dispatches import Item, forecast
from notifyhub.messaging.tests.factories import make_version
from notifyhub.messaging.tests.kit.sending import (
    EVERYBODY,
    assert_counts_are_the_ledger,
    dispatch_to,
    make_recipients,
    reasons,
    states,
)

pytestmark = pytest.mark.django_db


def plan(customers: list[Customer] | None = None, **fields: Any) -> Dispatch:
    dispatch = dispatch_to(customers, **fields)
    plan_dispatch(dispatch_id=dispatch.pk)
    dispatch.refresh_from_db()
    return dispatch


def verdict_on(customer: Customer, dispatch: Dispatch) -> str:
    row = Delivery.objects.get(dispatch_id=dispatch.pk, customer_id=customer.pk)
    assert (row.state == Delivery.State.PLANNED) == (row.reason == "")
    return row.reason or row.channel


def test_promotions_need_an_opt_in_to_their_topic_on_their_channel() -> None:
    topic, other = make_topic(), make_topic("hotel-deals")
    yes, elsewhere, by_sms, out, silent = (make_customer() for _ in range(5))
    opt_in(yes, topic, "email")
    opt_in(elsewhere, other, "email")
    opt_in(by_sms, topic, "sms")
    opt_in(out, topic, "email", decision="out")
    dispatch = plan(topic=topic)
    assert verdict_on(yes, dispatch) == "email"
    assert verdict_on(out, dispatch) == "opted_out"
    assert {verdict_on(one, dispatch) for one in (elsewhere, by_sms, silent)} == {"no_consent"}
    assert_counts_are_the_ledger(dispatch)


@pytest.mark.parametrize("message_class", ["service", "informational"])
def test_service_and_information_go_to_all_who_did_not_opt_out(message_class: str) -> None:
    topic = make_topic("bills", message_class)
    silent, out = make_customer(), make_customer()
    opt_in(out, topic, "email", decision="out")
    dispatch = plan(topic=topic, message_class=message_class)
    assert verdict_on(silent, dispatch) == "email"
    assert verdict_on(out, dispatch) == "opted_out"


def test_transactional_messages_ask_for_no_consent() -> None:
    customer = make_customer()
    dispatch = plan([customer], message_class="transactional")
    assert verdict_on(customer, dispatch) == "email"


def test_a_customer_without_a_usable_contact_point_is_skipped() -> None:
    none, broken = make_recipients(None, "auto")
    ContactPoint.objects.filter(customer=broken, kind="email").update(valid=False)
    dispatch = plan()
    assert verdict_on(none, dispatch) == "no_contact"
    assert verdict_on(broken, dispatch) == "invalid_contact"


@pytest.mark.parametrize(
    ("scope", "message_class", "expected"),
    [
        ("all", "promotional", "suppressed"),
        ("promotional", "promotional", "suppressed"),
        ("all", "transactional", "suppressed"),
        ("promotional", "transactional", "email"),
    ],
)
def test_a_suppressed_contact_point_is_not_written_to(scope: str, message_class: str, expected: str) -> None:
    (customer,) = make_recipients("auto")
    point = ContactPoint.objects.get(customer=customer, kind="email")
    Suppression.objects.create(
        kind="email", value_hash=point.value_hash, masked="x", scope=scope, reason="manual"
    )
    assert verdict_on(customer, plan([customer], message_class=message_class)) == expected


def test_a_lifted_suppression_is_none() -> None:
    (customer,) = make_recipients("auto")
    point = ContactPoint.objects.get(customer=customer, kind="email")
    Suppression.objects.create(
        kind="email", value_hash=point.value_hash, masked="x", reason="manual", lifted_at=timezone.now()
    )
    assert verdict_on(customer, plan()) == "email"


@pytest.mark.parametrize(
    ("hold", "expected"),
    [
        ({"scope": "promotions"}, "hold"),
        ({"scope": "topic", "scope_value": "food-deals"}, "hold"),
        ({"scope": "topic", "scope_value": "hotel-deals"}, "email"),
        ({"scope": "channel", "scope_value": "email"}, "hold"),
        ({"scope": "channel", "scope_value": "sms"}, "email"),
        ({"scope": "subject", "scope_value": "order:1"}, "email"),
        ({"scope": "promotions", "released_at": timezone.now()}, "email"),
        ({"scope": "promotions", "ends_at": timezone.now() - timedelta(hours=1)}, "email"),
    ],
)
def test_holds_stop_promotions_within_their_scope(hold: dict[str, Any], expected: str) -> None:
    (customer,) = make_recipients("auto")
    Hold.objects.create(customer=customer, reason="Complaint", **hold)
    assert verdict_on(customer, plan()) == expected


@pytest.mark.parametrize(
    ("origin", "subject", "expected"),
    [("reminder", "order:1", "hold"), ("reminder", "order:2", "email"), ("case", "order:1", "email")],
)
def test_a_subject_hold_stops_every_class_but_not_the_answer_of_its_case(
    origin: str, subject: str, expected: str
) -> None:
    customer = make_customer()
    Hold.objects.create(customer=customer, reason="Disputed", scope="subject", scope_value="order:1")
    by_dispatch = plan([customer], message_class="transactional", origin_kind=origin, subject_ref=subject)
    assert verdict_on(customer, by_dispatch) == expected
    items = [Item(item=1, customer_id=customer.pk, subject_ref=subject)]
    by_item = plan(message_class="transactional", origin_kind=origin, audience={"kind": "items"}, items=items)
    assert verdict_on(customer, by_item) == expected


def test_two_customers_with_one_mailbox_get_one_message_per_dispatch() -> None:
    first, *_rest, last = make_recipients("home@mail.example", "auto", "auto", "home@mail.example")
    dispatch = plan()
    assert verdict_on(first, dispatch) == "email"
    assert verdict_on(last, dispatch) == "duplicate_contact"
    assert states(dispatch) == {"planned": 3, "skipped": 1}


def test_one_mailbox_gets_one_message_also_across_ranges() -> None:
    customers = make_recipients("home@mail.example", "auto", "auto", "home@mail.example")
    dispatch = dispatch_to()
    # A first range that ends before the second customer of the household.
    Customer.objects.filter(pk=customers[-1].pk).update(state="erased")
    Dispatch.objects.filter(pk=dispatch.pk).update(plan_until=customers[-1].pk - 1)
    plan_chunk(dispatch_id=dispatch.pk)
    Customer.objects.filter(pk=customers[-1].pk).update(state="active")
    Dispatch.objects.filter(pk=dispatch.pk).update(state="planning", plan_until=customers[-1].pk)
    plan_dispatch(dispatch_id=dispatch.pk)
    assert verdict_on(customers[-1], dispatch) == "duplicate_contact"
    assert states(dispatch) == {"planned": 3, "skipped": 1}


def test_one_mailbox_may_be_told_of_two_orders() -> None:
    first, second = make_recipients("home@mail.example", "home@mail.example")
    items = [
        Item(item=1, customer_id=first.pk, subject_ref="order:1"),
        Item(item=2, customer_id=second.pk, subject_ref="order:2"),
        Item(item=3, customer_id=second.pk, subject_ref="order:1"),
    ]
    dispatch = plan(message_class="transactional", audience={"kind": "items"}, items=items)
    assert states(dispatch) == {"planned": 2, "skipped": 1}
    assert reasons(dispatch) == {"duplicate_contact": 1}


def test_the_first_channel_of_the_chain_that_passes_is_taken() -> None:
    topic = make_topic()
    both, phone_only, no_mail_consent, nothing = (
        make_customer(),
        make_customer(email=None),
        make_customer(),
        make_customer(email=None, phone=None),
    )
    opt_in(both, topic, "email", "sms")
    opt_in(phone_only, topic, "email", "sms")
    opt_in(no_mail_consent, topic, "sms")
    dispatch = plan(topic=topic, chain=[{"channel": "email"}, {"channel": "sms"}])
    assert verdict_on(both, dispatch) == "email"
    assert verdict_on(phone_only, dispatch) == "sms"
    assert verdict_on(no_mail_consent, dispatch) == "sms"
    assert verdict_on(nothing, dispatch) == "no_contact"
    assert set(Batch.objects.filter(dispatch=dispatch, skipped=0).values_list("channel", flat=True)) == {
        "email",
        "sms",
    }


def test_a_channel_that_policy_or_template_leave_out_is_not_used() -> None:
    version = make_version(("sms", "en"), ("email", "en"))
    (customer,) = make_recipients("auto", topic=version.template.topic)
    facts = {"topic": version.template.topic, "template_version": version, "text": None}
    accepted = dispatch_to(**facts)
    # Jobs without a text are refused; those of before this rule are planned all the same.
    version.contents.filter(channel="email").delete()
    plan_dispatch(dispatch_id=accepted.pk)
    assert verdict_on(customer, accepted) == "no_content"
    SendingPolicy.objects.filter(message_class="promotional").update(channels=["push"])
    assert verdict_on(customer, plan(**facts, chain=[{"channel": "sms"}])) == "channel_not_allowed"


def test_the_inbox_needs_no_contact_point() -> None:
    customer = make_customer(email=None, phone=None)
    topic = make_topic()
    opt_in(customer, topic, "inbox")
    assert verdict_on(customer, plan(topic=topic, chain=[{"channel": "inbox"}])) == "inbox"


def test_planning_again_inserts_nothing() -> None:
    make_recipients("auto", "auto", None)
    dispatch = plan()
    rows = Delivery.objects.filter(dispatch_id=dispatch.pk).count()
    Dispatch.objects.filter(pk=dispatch.pk).update(state="planning")
    plan_dispatch(dispatch_id=dispatch.pk)
    assert Delivery.objects.filter(dispatch_id=dispatch.pk).count() == rows
    assert_counts_are_the_ledger(dispatch)


def test_sendable_rows_stand_densely_in_batches() -> None:
    people = make_recipients(*["auto", None] * 6)
    dispatch = plan()
    batch = Batch.objects.get(dispatch=dispatch, state=Batch.State.READY)
    ids = list(
        Delivery.objects.filter(dispatch_id=dispatch.pk, state=0).order_by("id").values_list("id", flat=True)
    )
    assert ids == list(range(batch.lo, batch.hi + 1))
    assert len(ids) == len(people) / 2
    assert batch.cursor == batch.open_to == batch.lo - 1


def test_batches_hold_five_hundred_rows() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            planner._BATCHES,
            {
                "dispatch": dispatch_to().pk,
                "channel": "email",
                "priority": 1,
                "rows": 500,
                "first": 100_000,
                "last": 101_200,
                "waits_for": "",
                "send_at": timezone.now(),
                "step": 0,
                "watch": False,
            },
        )
    assert list(Batch.objects.order_by("lo").values_list("lo", "hi")) == [
        (100_000, 100_499),
        (100_500, 100_999),
        (101_000, 101_200),
    ]


def test_customers_who_come_later_do_not_stretch_the_plan() -> None:
    make_recipients("auto")
    dispatch = dispatch_to()
    plan_chunk(dispatch_id=dispatch.pk)
    make_recipients("auto")
    plan_dispatch(dispatch_id=dispatch.pk)
    assert states(dispatch) == {"planned": 1}


def test_an_item_of_a_merged_customer_reaches_who_they_became() -> None:
    kept, merged = make_customer(), make_customer(email=None)
    Customer.objects.filter(pk=merged.pk).update(state="merged", merged_into=kept)
    dispatch = plan([merged], message_class="transactional")
    row = Delivery.objects.get(dispatch_id=dispatch.pk)
    assert (row.customer_id, row.state) == (kept.pk, Delivery.State.PLANNED)


def test_the_forecast_is_what_planning_does() -> None:
    topic = make_topic()
    make_recipients("auto", "auto", "home@mail.example", "home@mail.example", None, topic=topic)
    make_customer()
    chain = [{"channel": "email"}, {"channel": "push"}]
    expected = forecast(
        message_class="promotional", chain=chain, audience=EVERYBODY, topic=topic, template_version=None
    )
    dispatch = plan(topic=topic, chain=chain)
    assert (expected.total, expected.sendable) == (6, 3)
    assert expected.by_channel == {"email": 3}
    assert expected.by_reason == reasons(dispatch)
    assert Delivery.objects.filter(dispatch_id=dispatch.pk, state=0).count() == expected.sendable


def test_a_dispatch_for_later_waits_unplanned() -> None:
    make_recipients("auto")
    dispatch = dispatch_to(send_at=timezone.now() + timedelta(hours=1))
    assert dispatch.state == Dispatch.State.SCHEDULED
    assert open_scheduled() == 0
    Dispatch.objects.filter(pk=dispatch.pk).update(send_at=timezone.now() + timedelta(seconds=60))
    assert open_scheduled() == 1
    plan_dispatch(dispatch_id=dispatch.pk)
    assert states(dispatch) == {"planned": 1}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"chain": []}, "chain"),
        ({"chain": [{"channel": "pigeon"}]}, "chain"),
        ({"chain": [{"channel": "sms"}, {"channel": "sms"}]}, "chain"),
        ({"topic": None}, "topic"),
        ({"message_class": "service"}, "topic"),
        ({"text": {"subject": "x", "body": " "}}, "text"),
        ({"audience": {"kind": "rule", "rule": {"field": "shoe size"}}}, None),
        ({"audience": {}}, "audience"),
        ({"expires_at": timezone.now() - timedelta(days=1)}, "expires_at"),
        ({"rate_per_second": 0}, "rate_per_second"),
    ],
)
def test_what_cannot_be_sent_is_refused_at_the_door(fields: dict[str, Any], field: str | None) -> None:
    make_topic()
    with pytest.raises(Refused) as refusal:
        dispatch_to(**{"topic": make_topic(), **fields})
    assert refusal.value.field == field
    assert not Dispatch.objects.exists()
