"""Frequency caps: counted before sending, given back when nothing went out, kept when something may have."""

import hashlib
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from notifyhub.customers.models import Customer
from notifyhub.customers.tests.factories import make_topic
from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.engine.asks import Ask, Refusal, asks_of
from notifyhub.messaging.engine.limits import Cap, Limits
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.engine.reserve import Claim, Taken, give_back, reserve
from notifyhub.messaging.engine.respects import RESPECT_SQL, cap_respect, respect_of
from notifyhub.messaging.models import Batch, Delivery, Dispatch, SendCount, SendDay
from notifyhub.messaging.services.dispatches import forecast
from notifyhub.messaging.services.receipts import Receipt, record_receipts, settle_unknown
from notifyhub.messaging.services.templates import publish
from notifyhub.messaging.tests.factories import make_template
from notifyhub.messaging.tests.kit.limits import (
    assert_counters_are_the_ledger,
    count_before,
    counter_rows,
    found,
    limit,
    today,
    used,
)
from notifyhub.messaging.tests.kit.sending import (
    EVERYBODY,
    assert_counts_are_the_ledger,
    dispatch_to,
    drain,
    make_recipients,
    memory_account,
    reasons,
    states,
)

pytestmark = pytest.mark.django_db
ALL = cap_respect("promotional", "")
MAIL = cap_respect("promotional", "email")


@pytest.fixture(autouse=True)
def _account() -> None:
    memory_account()


def send(**fields: object) -> Dispatch:
    dispatch = dispatch_to(**fields)
    drain()
    return dispatch


def test_a_respect_is_the_same_number_here_and_in_the_database() -> None:
    for text in ("cap:promotional:sms", "subject:订单 7"):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {RESPECT_SQL.format(text='%s')}", [text])
            assert cursor.fetchone()[0] == respect_of(text)
    assert respect_of("a") == int.from_bytes(hashlib.md5(b"a").digest()[:8], "big", signed=True)


def test_the_cap_of_a_day_holds_over_dispatches() -> None:
    limit(cap_day=2)
    make_recipients("auto", "auto")
    sent = [send() for _ in range(4)]
    assert [states(one) for one in sent] == [{"sent": 2}, {"sent": 2}, {"skipped": 2}, {"skipped": 2}]
    assert reasons(sent[2]) == {"cap_day": 2}
    assert found(sent[2]) == [("cap_day", "used=2 limit=2")] * 2
    assert_counters_are_the_ledger()
    assert_counts_are_the_ledger(sent[3])


def test_a_window_counts_what_planning_could_not_see() -> None:
    limit(cap_day=1)
    make_recipients("auto", "auto", "auto")
    first, second = dispatch_to(), dispatch_to()
    for one in (first, second):
        plan_dispatch(dispatch_id=one.pk)
    assert states(second) == {"planned": 3}
    drain()
    assert len(MemoryBackend.outbox) == 3
    assert reasons(first) | reasons(second) == {"cap_day": 3}
    assert_counters_are_the_ledger()


def test_seven_days_roll() -> None:
    limit(cap_week=3)
    inside, outside = make_recipients("auto", "auto")
    count_before(inside.pk, ALL, used=1, days=1)
    count_before(inside.pk, ALL, used=2, days=6)
    count_before(outside.pk, ALL, used=3, days=7)
    dispatch = send()
    assert states(dispatch) == {"sent": 1, "skipped": 1}
    assert found(dispatch) == [("cap_week", "used=3 limit=3 days=7")]
    assert Delivery.objects.get(dispatch_id=dispatch.pk, state=90).customer_id == inside.pk


def test_the_window_looks_at_the_days_before_as_well() -> None:
    limit(cap_week=3)
    (customer,) = make_recipients("auto")
    dispatch = dispatch_to()
    plan_dispatch(dispatch_id=dispatch.pk)
    count_before(customer.pk, ALL, used=3, days=2)
    drain()
    assert reasons(dispatch) == {"cap_week": 1}
    assert used(customer.pk, ALL) == 3


def test_a_channel_has_a_cap_of_its_own_within_that_of_all() -> None:
    limit(cap_day=3)
    limit(channel="sms", cap_day=1)
    memory_account("sms", name="Memory sms")
    make_recipients("auto")
    by_sms = [send(chain=[{"channel": "sms"}]) for _ in range(2)]
    assert found(by_sms[1]) == [("cap_day", "used=1 limit=1 channel=sms")]
    assert states(send()) == {"sent": 1}
    # The next channel of the chain is tried where one is used up.
    assert states(send(chain=[{"channel": "sms"}, {"channel": "email"}])) == {"sent": 1}
    assert reasons(send()) == {"cap_day": 1}
    assert_counters_are_the_ledger()
    assert_counters_are_the_ledger(channel="sms")


def test_classes_are_counted_apart_and_transactional_ones_never() -> None:
    limit(cap_day=1)
    limit("transactional", cap_day=1, cap_week=1)
    customers = make_recipients("auto")
    send()
    for _ in range(3):
        assert states(send(customers=customers, message_class="transactional")) == {"sent": 1}
    assert counter_rows() == 1


def test_without_limits_nothing_is_written() -> None:
    make_recipients("auto")
    send()
    assert counter_rows() == 0


@pytest.mark.parametrize(
    ("address", "state", "kept"),
    [
        ("reject@mail.example", "failed", 0),
        ("silent@mail.example", "unknown", 1),
        ("fail@mail.example", "planned", 0),
        ("auto", "sent", 1),
    ],
)
def test_what_certainly_failed_is_given_back(address: str, state: str, kept: int) -> None:
    limit(cap_day=1)
    (customer,) = make_recipients(address)
    dispatch = send()
    assert states(dispatch) == {state: 1}
    assert used(customer.pk, ALL) == kept
    assert_counters_are_the_ledger()


def test_a_second_try_that_succeeds_counts_once() -> None:
    limit(cap_day=1)
    (customer,) = make_recipients("fail@mail.example")
    dispatch = send()
    Customer.objects.get(pk=customer.pk).contact_points.filter(kind="email").update(
        value=make_recipients("auto")[0].contact_points.get(kind="email").value
    )
    Batch.objects.filter(dispatch=dispatch, state=0).update(not_before=timezone.now())
    drain()
    assert states(dispatch) == {"sent": 1}
    assert used(customer.pk, ALL) == 1
    assert reasons(send()) == {"cap_day": 1}


def test_a_refused_message_takes_nothing_of_its_other_limits() -> None:
    limit(cap_day=5)
    limit(channel="email", cap_day=1)
    (customer,) = make_recipients("auto")
    first, second = dispatch_to(), dispatch_to()
    for one in (first, second):
        plan_dispatch(dispatch_id=one.pk)
    drain()
    assert (used(customer.pk, ALL), used(customer.pk, MAIL)) == (1, 1)


def test_several_messages_to_one_customer_in_one_window_are_judged_one_by_one() -> None:
    limit("informational", cap_day=2)
    (customer,) = make_recipients("auto")
    dispatch = dispatch_to(
        [customer] * 5, message_class="informational", topic=make_topic("news", "informational")
    )
    drain()
    assert states(dispatch) == {"sent": 2, "skipped": 3}
    assert found(dispatch) == [("cap_day", "used=2 limit=2")] * 3
    assert_counters_are_the_ledger("informational")


def test_the_day_is_the_customers() -> None:
    limit(cap_day=1)
    east, west = make_recipients("auto", "auto")
    Customer.objects.filter(pk=east.pk).update(time_zone="Pacific/Kiritimati")
    Customer.objects.filter(pk=west.pk).update(time_zone="Pacific/Pago_Pago")
    send()
    days = dict(SendCount.objects.filter(respect=ALL).values_list("customer_id", "day"))
    assert days[east.pk] == today("Pacific/Kiritimati")
    assert days[west.pk] == today("Pacific/Pago_Pago")
    # 25 hours lie between the two.
    assert days[east.pk] > days[west.pk]
    assert states(send()) == {"skipped": 2}


def test_the_forecast_counts_who_has_had_enough() -> None:
    limit(cap_day=1)
    make_recipients("auto", "auto")
    send()
    make_recipients("auto")
    facts = dispatch_to()
    expected = forecast(
        message_class="promotional",
        chain=[{"channel": "email"}],
        audience=EVERYBODY,
        topic=facts.topic,
        template_version=None,
    )
    assert (expected.sendable, expected.by_reason) == (1, {"cap_day": 2})
    drain()
    assert reasons(facts) == expected.by_reason


def test_what_is_due_tomorrow_is_counted_tomorrow() -> None:
    limit(cap_day=1)
    make_recipients("auto")
    first = send()
    expected = forecast(
        message_class="promotional",
        chain=[{"channel": "email"}],
        audience=EVERYBODY,
        topic=first.topic,
        template_version=None,
        send_at=timezone.now() + timedelta(days=1),
    )
    assert expected.sendable == 1


def test_a_message_in_doubt_that_failed_after_all_is_given_back() -> None:
    limit(cap_day=1, duplicate_hours=24)
    make_recipients("silent@mail.example")
    dispatch = send()
    assert states(dispatch) == {"unknown": 1}
    row = Delivery.objects.get(dispatch_id=dispatch.pk)
    assert sum(SendCount.objects.values_list("used", flat=True)) == 2
    settle_unknown(dispatch_id=dispatch.pk, delivery_id=row.pk, sent=False, reason="Vendor's report")
    assert sum(SendCount.objects.values_list("used", flat=True)) == 0
    assert_counters_are_the_ledger()
    # Tried again and not skipped.
    assert states(send()) == {"unknown": 1}


def test_a_message_in_doubt_that_was_sent_stays_counted() -> None:
    limit(cap_day=1)
    (customer,) = make_recipients("silent@mail.example")
    dispatch = send()
    row = Delivery.objects.get(dispatch_id=dispatch.pk)
    settle_unknown(dispatch_id=dispatch.pk, delivery_id=row.pk, sent=True, reason="Vendor's report")
    assert used(customer.pk, ALL) == 1
    assert_counters_are_the_ledger()


def test_what_bounces_is_given_back_once_however_often_it_is_reported() -> None:
    limit(cap_day=2, duplicate_hours=24)
    (customer,) = make_recipients("auto")
    first = send()
    send(text={"subject": "Other", "body": "Other"})
    row = Delivery.objects.get(dispatch_id=first.pk)
    report = Receipt(dispatch_id=first.pk, delivery_id=row.pk, kind="failed", at=timezone.now())
    for _twice in range(2):
        record_receipts([report, report])
    assert used(customer.pk, ALL) == 1
    assert_counters_are_the_ledger()


def test_a_text_with_links_of_our_own_is_found_again_when_it_bounces() -> None:
    limit(duplicate_hours=24)
    draft = make_template(("email", "zh-hans"))
    content = draft.versions.get().contents.get()
    link = '<a href="https://shop.example/offers">看看</a>'
    content.body = f'<p>半价：{link}，<a href="{{{{ unsubscribe_url }}}}">退订</a></p>'
    content.save()
    version = publish(template_id=draft.pk)
    make_recipients("auto", topic=draft.topic)
    facts = {"template_version": version, "topic": draft.topic, "text": None}
    dispatch = send(**facts)
    assert "/c/" in MemoryBackend.outbox[0].text + (MemoryBackend.outbox[0].html or "")
    assert reasons(send(**facts)) == {"duplicate": 1}
    row = Delivery.objects.get(dispatch_id=dispatch.pk)
    record_receipts([Receipt(dispatch_id=dispatch.pk, delivery_id=row.pk, kind="failed", at=timezone.now())])
    assert states(send(**facts)) == {"sent": 1}


def test_a_customer_with_very_many_counters_is_looked_at_to_the_last_of_them() -> None:
    """A window of a hundred messages to one customer, each about another order, is that long."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO messaging_sendday (customer_id, day, respects, used, at) "
            "SELECT 7, %s::date - d, array_agg(r), array_agg(1), array_agg(now()) "
            "FROM generate_series(1, 120) r, generate_series(1, 20) d GROUP BY d",
            [today()],
        )
    asks = [Ask(respect=number, days=90, cap_days=20 if number == 120 else 1000) for number in range(1, 121)]
    claims = [Claim(customer_id=7, day=today(), asks=(ask,)) for ask in asks]
    answers = reserve(claims, moment=timezone.now())
    assert [isinstance(one, Refusal) for one in answers] == [False] * 119 + [True]


def test_all_of_a_day_counts_when_it_is_looked_back_at() -> None:
    asks = asks_of(LIMITS, subject_ref="", text=None)[:1]
    went = []
    for days in (0, 0, 1, 1, 2, 2, 3):
        claim = Claim(customer_id=7, day=today() + timedelta(days=days), asks=asks)
        went += [not isinstance(one, Refusal) for one in reserve([claim], moment=timezone.now())]
    assert went == [True, True, True, True, True, False, False]


def test_who_is_written_to_without_end_is_still_counted_right() -> None:
    """The entries of a day are made one a respect when they are many."""
    ask = Ask(respect=5, days=1, cap_day=150)
    moments = [timezone.now() + timedelta(seconds=number) for number in range(150)]
    taken = [reserve([Claim(customer_id=7, day=today(), asks=(ask,))], moment=one)[0] for one in moments]
    assert used(7, 5) == 150
    assert len(SendDay.objects.get().at) <= 60
    (refusal,) = reserve([Claim(customer_id=7, day=today(), asks=(ask,))], moment=timezone.now())
    assert isinstance(refusal, Refusal)
    for one in (*taken[:5], *taken[-5:]):
        assert not isinstance(one, Refusal)
        give_back(one)
    assert used(7, 5) == 140


LIMITS = Limits(caps=(Cap(respect=1, day=2, week=5), Cap(respect=2, channel="sms", day=1, week=3)))


@settings(max_examples=60, deadline=None)
@given(
    history=st.lists(
        st.tuples(st.integers(0, 8), st.lists(st.tuples(st.integers(1, 2), st.booleans()), max_size=4)),
        max_size=6,
    )
)
def test_whatever_is_asked_and_given_back_no_cap_is_ever_passed(
    history: list[tuple[int, list[tuple[int, bool]]]],
) -> None:
    SendDay.objects.all().delete()
    start = today()
    kept: list[Taken] = []
    asks = asks_of(LIMITS, subject_ref="", text=None)
    for days, window in sorted(history):
        day = start + timedelta(days=days)
        moment = timezone.now() + timedelta(days=days)
        answers = reserve(
            [Claim(customer_id=who, day=day, asks=asks) for who, _fails in window], moment=moment
        )
        for (_who, fails), answer in zip(window, answers, strict=True):
            if isinstance(answer, Refusal):
                assert answer.reason in ("cap_day", "cap_week")
            elif fails:
                give_back(answer)
            else:
                kept += answer
    for who in (1, 2):
        for cap in LIMITS.caps:
            days_of = [one.day for one in kept if (one.customer_id, one.respect) == (who, cap.respect)]
            assert used(who, cap.respect) == len(days_of)
            for day in set(days_of):
                assert days_of.count(day) <= (cap.day or 0)
                week = [one for one in days_of if day - timedelta(days=7) < one <= day]
                assert len(week) <= (cap.week or 0)
