"""Accounts: their settings, their secrets, their circuit and their bucket."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from notifyhub.core.errors import Conflict, Refused
from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.engine.accounts import Accounts, begin_probe, note_troubles, take_tokens
from notifyhub.messaging.models import AccountGate, Batch, ProviderAccount
from notifyhub.messaging.services.accounts import create_account, secrets_set, settings_of, update_account
from notifyhub.messaging.tests.kit.sending import (
    dispatch_to,
    drain,
    make_recipients,
    memory_account,
    reasons,
    states,
    work,
)
from notifyhub.staff.models import AuditEntry

pytestmark = pytest.mark.django_db

SMTP = {"host": "mail.shop.example", "from_email": "news@shop.example", "password": "hush"}


def configure(*args: str) -> str:
    out = StringIO()
    call_command("configure_provider", *args, stdout=out)
    return out.getvalue()


def test_the_command_creates_and_then_changes_an_account() -> None:
    first = ("email", "smtp", "--name", "Main")
    settings = [f"--set={name}={value}" for name, value in SMTP.items()]
    assert "Created" in configure(*first, *settings, "--set=port=2525", "--set=security=none")
    account = ProviderAccount.objects.get(name="Main")
    assert settings_of(account)["port"] == 2525
    assert settings_of(account)["connections"] == 4
    assert "password" not in account.config
    assert secrets_set(account) == {"password"}
    assert "Changed" in configure(*first, "--set=port=25", "--rate=50")
    account.refresh_from_db()
    assert (account.config["port"], account.rate_per_second, account.version) == (25, 50, 2)
    assert secrets_set(account) == {"password"}
    assert "hush" not in str(list(AuditEntry.objects.values_list("detail", flat=True)))


@pytest.mark.parametrize(
    "args",
    [
        ("email", "pigeon", "--name", "x"),
        ("sms", "smtp", "--name", "x"),
        ("moon", "sandbox", "--name", "x"),
        ("email", "smtp", "--name", "x", "--set=port=25"),
        ("email", "smtp", "--name", "x", "--set=host=a", "--set=from_email=b@c", "--set=port=many"),
        ("email", "smtp", "--name", "x", "--set=host=a", "--set=from_email=b@c", "--set=security=maybe"),
        ("email", "smtp", "--name", "x", "--set=host=a\nb", "--set=from_email=b@c"),
        ("email", "smtp", "--name", "x", "--set=colour=red"),
        ("email", "smtp", "--name", "x", "--set=colour"),
        ("email", "sandbox", "--name", " "),
        ("email", "memory", "--name", "x", "--rate=0"),
    ],
)
def test_the_command_says_what_is_wrong_and_changes_nothing(args: tuple[str, ...]) -> None:
    before = ProviderAccount.objects.count()
    with pytest.raises(CommandError):
        configure(*args)
    assert ProviderAccount.objects.count() == before


def test_a_stale_version_is_a_conflict() -> None:
    account = create_account(channel="email", backend="smtp", name="Main", values=SMTP)
    update_account(account_id=account.pk, version=1, priority=5)
    with pytest.raises(Conflict):
        update_account(account_id=account.pk, version=1, priority=6)
    with pytest.raises(Refused):
        update_account(account_id=account.pk, version=2, values={"port": "-1"})


@pytest.mark.parametrize("host", ["bad host", "smtp://mail.example", "127.0.0.1:25", "mail.example/x"])
def test_a_server_is_a_name_or_an_address_alone(host: str) -> None:
    with pytest.raises(Refused, match=r"smtp\.example\.com"):
        create_account(channel="email", backend="smtp", name="Main", values={**SMTP, "host": host})


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "mail_1.example", "localhost", "邮箱.example"])
def test_every_true_name_of_a_server_is_taken(host: str) -> None:
    account = create_account(channel="email", backend="smtp", name="Main", values={**SMTP, "host": host})
    assert account.config["host"] == host


def test_a_changed_account_is_used_as_it_is_now() -> None:
    memory_account()
    make_recipients("auto")
    dispatch_to()
    drain()
    account = ProviderAccount.objects.get(name="Memory email")
    update_account(account_id=account.pk, version=None, active=False)
    assert Accounts().choose("email").account.backend == "sandbox"  # type: ignore[union-attr]


def test_the_lowest_priority_with_a_closed_circuit_is_chosen() -> None:
    memory_account(name="Second", priority=20)
    first = memory_account(name="First", priority=10)
    assert Accounts().choose("email").account.name == "First"  # type: ignore[union-attr]
    take_tokens(first.pk, 1)
    note_troubles(first.pk, [True] * 5)
    assert Accounts().choose("email").account.name == "Second"  # type: ignore[union-attr]


def test_five_failures_of_the_account_shut_its_circuit_and_one_probe_opens_it() -> None:
    account = memory_account()
    take_tokens(account.pk, 1)
    note_troubles(account.pk, [True, True, False, True, True, True, True])
    assert Accounts().choose("email").account is not None
    note_troubles(account.pk, [True])
    assert Accounts().choose("email").shut
    assert not begin_probe(account.pk)
    AccountGate.objects.update(retry_at=timezone.now() - timedelta(seconds=1))
    choice = Accounts().choose("email")
    assert choice.probe
    assert begin_probe(account.pk)
    assert not begin_probe(account.pk)
    note_troubles(account.pk, [False])
    assert AccountGate.objects.get().circuit == "closed"


def test_a_shut_circuit_spares_the_messages_until_it_answers_again() -> None:
    memory_account()
    make_recipients(*(f"once-down{n}@mail.example" for n in range(6)), *["auto"] * 4)
    dispatch = dispatch_to()
    Batch.objects.all()
    from notifyhub.messaging.engine.planner import plan_dispatch

    plan_dispatch(dispatch_id=dispatch.pk)
    work(window=6, seconds=0)
    assert AccountGate.objects.get().circuit == "open"
    work(seconds=0)
    assert MemoryBackend.outbox == []
    AccountGate.objects.update(retry_at=timezone.now())
    work(window=3, seconds=0)
    assert len(MemoryBackend.outbox) == 1
    Batch.objects.filter(state=0).update(not_before=timezone.now())
    drain()
    assert states(dispatch) == {"sent": 10}


def test_the_bucket_grants_no_more_than_its_rate() -> None:
    account = memory_account(rate_per_second=10)
    assert take_tokens(account.pk, 100) == 10
    assert take_tokens(account.pk, 100) <= 2
    assert take_tokens(account.pk, 0) == 0


def test_what_the_bucket_does_not_grant_waits_for_the_next_window() -> None:
    memory_account(rate_per_second=3)
    make_recipients(*["auto"] * 5)
    dispatch = dispatch_to()
    drain()
    assert states(dispatch) == {"sent": 5}


def test_outside_production_a_real_account_writes_only_to_its_allow_list(settings: Any) -> None:
    settings.PRODUCTION = False
    settings.ALLOW_RECIPIENTS = ["*@ours.example"]
    values = {**SMTP, "host": "127.0.0.1", "port": 1, "security": "none"}
    create_account(channel="email", backend="smtp", name="Main", values=values)
    make_recipients("me@ours.example", "you@theirs.example")
    dispatch = dispatch_to()
    drain()
    assert reasons(dispatch) == {"not_allow_listed": 1}
    assert states(dispatch) == {"planned": 1, "skipped": 1}
