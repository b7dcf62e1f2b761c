"""What the operations page says of accounts and of what can be stopped, and what its buttons do."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from notifyhub.console.operations.asking import look_up_now, who_can_be_asked
from notifyhub.core.errors import Refused
from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.engine.accounts import note_troubles, take_tokens
from notifyhub.messaging.models import Delivery, Halt, ProviderAccount, SendTally
from notifyhub.messaging.services.accounts import create_account, update_account
from notifyhub.messaging.services.circuits import who_serves
from notifyhub.messaging.services.doubt import messages_in_doubt
from notifyhub.messaging.services.punctuality import roll_up
from notifyhub.messaging.tests.factories import make_delivery, make_dispatch, make_event
from notifyhub.messaging.tests.kit.sending import dispatch_to, drain, make_recipients, memory_account
from notifyhub.staff import roles
from notifyhub.staff.models import AuditEntry, StaffNotice
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db
# Everything the page asks, session and user included: one more question is seen here.
MOST_QUERIES = 89


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(make_user(roles.OPERATIONS))
    MemoryBackend.clear()
    return client


def body(client: Client) -> str:
    return client.get(reverse("admin:console_operations_body")).content.decode()


def cut_off(account: ProviderAccount) -> None:
    take_tokens(account.pk, 1)
    note_troubles(account.pk, [True] * 5, trouble="connect refused")


def aliyun() -> ProviderAccount:
    values = {"access_key_id": "a", "access_key_secret": "b", "sign_name": "Lu", "template_code": "SMS_1"}
    return create_account(channel="sms", backend="aliyun", name="Aliyun", values=values)


def in_doubt(account: ProviderAccount | None) -> None:
    dispatch = make_dispatch(chain=[{"channel": "sms"}])
    row = make_delivery(dispatch, 1, state=Delivery.State.UNKNOWN, channel="sms")
    make_event(row, kind="unknown", account_id=account.pk if account else None, code="timeout")


@pytest.mark.parametrize(
    ("scope", "value", "words", "banner"),
    [
        ("channel", "sms", "Stop this channel: SMS", "Nothing is sent by SMS."),
        ("class", "service", "Stop service messages", "All service messages stand still."),
        ("class", "transactional", "Stop transactional messages", "All transactional messages stand still."),
    ],
)
def test_a_class_or_a_channel_is_stopped_with_a_reason_and_a_word(
    operator: Client, scope: str, value: str, words: str, banner: str
) -> None:
    url = reverse("admin:console_operations_halt")
    assert f"scope={scope}&amp;value={value}" in body(operator)
    dialog = operator.get(url, {"scope": scope, "value": value}).content.decode()
    assert words in dialog
    assert "Operations, Administrator" in dialog
    asked = {"scope": scope, "value": value, "reason": "Vendor is down", "word": "STOP"}
    assert operator.post(url, {**asked, "word": ""}).status_code == 422
    assert operator.post(url, {**asked, "reason": " "}).status_code == 422
    assert not Halt.objects.exists()
    assert operator.post(url, asked).status_code == 200
    assert Halt.objects.get().reason == "Vendor is down"
    assert AuditEntry.objects.filter(verb="place_halt", detail__scope=scope).count() == 1
    text = body(operator)
    assert banner in text
    assert f"scope={scope}&amp;value={value}" not in text
    operator.post(reverse("admin:console_operations_resume"), {"halt": Halt.objects.get().pk})
    assert banner not in body(operator)


def test_nobody_without_the_right_sees_a_stop_button(client: Client) -> None:
    client.force_login(make_user(roles.ADMINISTRATOR))
    assert "Stop this channel" in body(client)
    client.force_login(make_user(roles.AGENT))
    url = reverse("admin:console_operations_halt")
    assert client.get(url, {"scope": "channel", "value": "sms"}).status_code == 403


def test_it_says_who_took_over_from_an_account_that_is_cut_off(operator: Client) -> None:
    boss = make_user()
    first = memory_account(name="First", priority=1)
    memory_account(name="Second", priority=2)
    cut_off(first)
    assert "Email goes through Second now." in StaffNotice.objects.get(recipient=boss).body
    assert "Email goes through Second now." in body(operator)
    page = operator.get(reverse("admin:messaging_provideraccount_change", args=[first.pk])).content.decode()
    assert "Email goes through Second now." in page
    assert "connect refused" in page


def test_it_says_that_nobody_serves_and_what_waits(operator: Client) -> None:
    boss = make_user()
    only = memory_account()
    make_recipients(*["auto"] * 3)
    dispatch = dispatch_to()
    from notifyhub.messaging.engine.planner import plan_dispatch

    plan_dispatch(dispatch_id=dispatch.pk)
    cut_off(only)
    sentence = "No other account serves Email: 3 messages wait."
    assert sentence in StaffNotice.objects.get(recipient=boss).body
    assert sentence in body(operator)
    update_account(account_id=only.pk, version=None, active=False)
    # The sandbox serves as soon as there is no real account in use.
    assert who_serves(["email"])["email"].account


def test_a_stopped_account_does_not_serve() -> None:
    first = memory_account(name="First", priority=1)
    memory_account(name="Second", priority=2)
    assert who_serves(["email"])["email"].account == "First"
    Halt.objects.create(scope="account", value=str(first.pk), reason="x")
    assert who_serves(["email"])["email"].account == "Second"


def test_asking_is_offered_only_where_somebody_can_answer(operator: Client) -> None:
    silent = memory_account(channel="sms", name="Silent")
    in_doubt(silent)
    text = body(operator)
    assert "Look up receipts now" not in text
    assert "the provider of Silent has no look-up" in text
    with pytest.raises(Refused, match="Silent"):
        look_up_now()
    account = aliyun()
    # It answers, but nothing in doubt went through it.
    assert not who_can_be_asked(messages_in_doubt()).possible
    in_doubt(account)
    assert "Look up receipts now" in body(operator)
    update_account(account_id=account.pk, version=None, active=False)
    text = body(operator)
    assert "Look up receipts now" not in text
    assert "Aliyun is off. Switch it on to ask its provider." in text


def test_what_has_no_account_is_asked_of_every_account_in_use() -> None:
    with pytest.raises(Refused, match="nothing to settle"):
        look_up_now()
    in_doubt(None)
    assert not who_can_be_asked(messages_in_doubt()).possible
    aliyun()
    assert who_can_be_asked(messages_in_doubt()).possible


def test_it_shows_how_long_messages_waited_for_each_account(operator: Client) -> None:
    account = memory_account()
    make_recipients(*["auto"] * 4)
    dispatch_to()
    drain()
    roll_up(upto=timezone.now())
    kept = SendTally.objects.filter(account_id=account.pk, kind__in=SendTally.WAITED)
    assert sum(row.count for row in kept) == 4
    roll_up(upto=timezone.now())
    assert sum(row.count for row in kept.all()) == 4
    SendTally.objects.filter(kind__in=SendTally.WAITED).delete()
    now = timezone.now().replace(second=0, microsecond=0)
    for minute, kind, count in ((0, "waited00", 90), (5, "waited07", 10), (70, "waited19", 900)):
        SendTally.objects.create(
            minute=now - timedelta(minutes=minute), kind=kind, priority=0, account_id=account.pk, count=count
        )
    (line,) = [
        one
        for one in operator.get(reverse("admin:console_operations_body")).context["accounts"]
        if one["id"] == account.pk
    ]
    assert 10 < line["p95"] <= 20


def test_the_page_asks_no_more_than_it_did(operator: Client) -> None:
    body(operator)
    with CaptureQueriesContext(connection) as asked:
        body(operator)
    in_doubt(None)
    cut_off(memory_account())
    with CaptureQueriesContext(connection) as more:
        body(operator)
    assert len(more) <= MOST_QUERIES, len(more)
    assert len(asked) <= MOST_QUERIES, len(asked)
