"""The gates in mid-batch, their words, and where people read of them."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from notifyhub.customers.models import ContactPoint, Customer, Hold, Suppression
from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.models import Delivery, SendCount
from notifyhub.messaging.personal_data import erase_counts, export_counts
from notifyhub.messaging.services.findings import finding_words
from notifyhub.messaging.services.reasons import WORDS
from notifyhub.messaging.tests.factories import make_delivery, make_dispatch, make_event
from notifyhub.messaging.tests.kit.limits import limit, night
from notifyhub.messaging.tests.kit.sending import (
    assert_counts_are_the_ledger,
    dispatch_to,
    drain,
    make_recipients,
    memory_account,
    reasons,
    states,
    work,
)
from notifyhub.staff import roles
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


def hold(customers: list[Customer]) -> None:
    for customer in customers:
        Hold.objects.create(customer=customer, scope="promotions", reason="Complaint")


def suppress(customers: list[Customer]) -> None:
    for point in ContactPoint.objects.filter(customer__in=customers, kind="email"):
        Suppression.objects.create(kind="email", value_hash=point.value_hash, masked="x", reason="stop")


def unsubscribe(customers: list[Customer]) -> None:
    for customer in customers:
        customer.consents.update(decision="out")


def forbid(customers: list[Customer]) -> None:
    limit(channels=["push"])


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (hold, "hold"),
        (suppress, "suppressed"),
        (unsubscribe, "opted_out"),
        (forbid, "channel_not_allowed"),
    ],
)
def test_what_happens_in_mid_batch_stops_the_next_window(
    act: Callable[[list[Customer]], None], reason: str
) -> None:
    memory_account()
    customers = make_recipients(*["auto"] * 5)
    dispatch = dispatch_to()
    plan_dispatch(dispatch_id=dispatch.pk)
    work(window=2, seconds=0)
    act(customers)
    drain()
    assert states(dispatch) == {"sent": 2, "skipped": 3}
    assert reasons(dispatch) == {reason: 3}
    assert len(MemoryBackend.outbox) == 2
    assert_counts_are_the_ledger(dispatch)


def test_every_reason_has_words() -> None:
    assert set(Delivery.Reason.values) <= set(WORDS)


@pytest.mark.parametrize(
    ("code", "detail", "said"),
    [
        ("cap_day", "used=3 limit=3", "3 promotional messages that day, the limit is 3"),
        ("cap_day", "used=1 limit=1 channel=sms", "1 promotional message that day, the limit is 1 (SMS)"),
        ("cap_week", "used=10 limit=10 days=7", "10 promotional messages in 7 days, the limit is 10"),
        (
            "subject_max",
            "used=5 limit=5 days=90",
            "5 messages about this subject in 90 days, the limit is 5",
        ),
        ("subject_gap", "last=2026-11-21T10:00:00Z hours=20", "must be 20 hours between two"),
        ("duplicate", "last=2026-11-21T10:00:00Z hours=24", "the same text went to them at"),
        ("quiet", "until=2026-11-22T01:00:00Z zone=Asia/Shanghai", "until 2026-11-22 09:00 (Asia/Shanghai)"),
        ("quiet", "until=2026-11-22T01:00:00Z zone=-", "until 2026-11-22 09:00 (Asia/Shanghai)"),
        ("cap_day", "3/3", ""),
        ("cap_day", "used=x limit=", ""),
        ("550", "5.1.1 no=such mailbox", ""),
        ("quiet", "until=soon", ""),
    ],
)
def test_the_numbers_behind_a_reason_become_a_sentence(code: str, detail: str, said: str) -> None:
    words = finding_words(code=code, detail=detail, message_class="promotional")
    assert said in words
    assert bool(said) == bool(words)


def test_the_page_of_a_message_says_the_numbers(client: Client) -> None:
    client.force_login(make_user(roles.OPERATIONS))
    customer = make_recipients("auto")[0]
    dispatch = make_dispatch()
    skipped = make_delivery(dispatch, customer.pk, state=Delivery.State.SKIPPED, reason="cap_day")
    make_event(skipped, "skipped", code="cap_day", detail="used=3 limit=3")
    page = client.get(reverse("admin:messaging_delivery_page", args=[skipped.reference])).content.decode()
    assert "did not get it: 3 promotional messages that day, the limit is 3." in page
    assert "used=3" not in page
    waiting = make_delivery(dispatch, customer.pk, state=Delivery.State.PLANNED, settled_at=None)
    make_event(waiting, "delayed", code="quiet", detail="until=2026-11-22T01:00:00Z zone=Asia/Shanghai")
    page = client.get(reverse("admin:messaging_delivery_page", args=[waiting.reference])).content.decode()
    assert "It was not sent yet: it waits for the end of quiet hours, until 2026-11-22 09:00" in page


def test_a_dispatch_that_waits_for_the_morning_does_not_look_stuck(client: Client) -> None:
    client.force_login(make_user(roles.OPERATIONS))
    memory_account()
    make_recipients("auto", "auto")
    limit(**night())
    dispatch = dispatch_to()
    drain()
    page = client.get(reverse("admin:messaging_dispatch_change", args=[dispatch.pk])).content.decode()
    until = timezone.localtime(Delivery.objects.filter(dispatch_id=dispatch.pk)[0].send_at)
    row = Delivery.objects.filter(dispatch_id=dispatch.pk)[0]
    message = client.get(reverse("admin:messaging_delivery_page", args=[row.reference])).content.decode()
    assert "it waits for the end of quiet hours, until " in message
    assert f"2 wait until {'' if until.date() == timezone.localdate() else 'Tomorrow '}{until:%H:%M}" in page
    assert "(quiet hours)" in page


def test_counters_are_copied_out_and_erased_with_their_customer() -> None:
    limit(cap_day=3)
    memory_account()
    customer, other = make_recipients("auto", "auto")
    dispatch_to()
    drain()
    (line,) = export_counts(customer.pk)
    assert line["messages"] == 1
    assert erase_counts(customer.pk) == 1
    assert set(SendCount.objects.values_list("customer_id", flat=True)) == {other.pk}
