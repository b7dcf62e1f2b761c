"""The page of a dispatch says what holds it back although nobody paused it."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from notifyhub.messaging.models import AccountGate, Dispatch, Halt, ProviderAccount
from notifyhub.messaging.services.accounts import create_account
from notifyhub.messaging.services.dispatches import what_holds
from notifyhub.messaging.tests.kit.chains import TWO_STEPS, chained, memory_accounts
from notifyhub.staff import roles
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def dispatch() -> Dispatch:
    memory_accounts()
    return chained("a@one.example", "b@one.example")


def words_of(dispatch: Dispatch) -> list[str]:
    dispatch.refresh_from_db()
    return [f"{line.words} {line.detail}" for line in what_holds(dispatch)]


def email_account() -> ProviderAccount:
    return ProviderAccount.objects.get(channel="email", backend="memory")


def shut(account: ProviderAccount) -> None:
    again = timezone.now() + timedelta(seconds=30)
    AccountGate.objects.update_or_create(account=account, defaults={"circuit": "open", "retry_at": again})


def test_nothing_holds_what_moves(dispatch: Dispatch) -> None:
    assert words_of(dispatch) == []


@pytest.mark.parametrize(
    ("scope", "value", "held"),
    [
        ("all", "", "All sending stands still."),
        ("class", "promotional", "All promotions stand still."),
        ("channel", "sms", "Nothing is sent by SMS."),
        ("class", "transactional", ""),
        ("channel", "wechat", ""),
        ("worker", "bulk@one", ""),
    ],
)
def test_an_order_that_covers_it_is_told_with_its_reason(
    client: Client, dispatch: Dispatch, scope: str, value: str, held: str
) -> None:
    Halt.objects.create(scope=scope, value=value, reason="Wrong price", placed_by="Sun Hao")
    client.force_login(make_user(roles.OPERATIONS))
    text = client.get(reverse("admin:messaging_dispatch_live", args=[dispatch.pk])).content.decode()
    assert ("Wrong price · Ordered by Sun Hao" in text) == bool(held)
    assert held in text
    page = client.get(reverse("admin:messaging_dispatch_change", args=[dispatch.pk])).content.decode()
    assert page.count("Wrong price") == (0 if scope == "worker" else 1)


def test_a_channel_waits_when_its_only_account_is_stopped_or_does_not_answer(dispatch: Dispatch) -> None:
    account = email_account()
    shut(account)
    assert words_of(dispatch)[0].startswith(f"Email waits: the account {account.name} does not answer.")
    Halt.objects.create(scope="account", value=str(account.pk), reason="Bounces")
    assert words_of(dispatch)[0].startswith(f"Email waits: the account {account.name} is stopped. Bounces")


def test_another_account_takes_over_without_a_word(dispatch: Dispatch) -> None:
    shut(email_account())
    create_account(channel="email", backend="memory", values={}, name="Second")
    assert words_of(dispatch) == []


def test_it_costs_the_same_for_one_account_and_many(dispatch: Dispatch) -> None:
    Halt.objects.create(scope="account", value=str(email_account().pk), reason="Bounces")
    with CaptureQueriesContext(connection) as few:
        what_holds(dispatch)
    for n in range(5):
        shut(create_account(channel=TWO_STEPS[n % 2]["channel"], backend="memory", values={}, name=f"M {n}"))
    with CaptureQueriesContext(connection) as many:
        what_holds(dispatch)
    assert len(many) == len(few) <= 3
