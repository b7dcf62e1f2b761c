"""Accounts, identities and policies, through the admin's doors."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from notifyhub.messaging.models import ProviderAccount, SenderIdentity, SendingPolicy
from notifyhub.staff import roles
from notifyhub.staff.models import AuditEntry
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db

ADD = "admin:messaging_provideraccount_add"
SMTP = {
    "name": "Mail one",
    "priority": "10",
    "rate_per_second": "50",
    "active": "on",
    "set_host": "mail.example",
    "set_port": "587",
    "set_security": "starttls",
    "set_username": "hub",
    "set_password": "hush-hush",
    "set_from_email": "news@lu.example",
    "set_from_name": "Lu",
    "set_connections": "4",
    "set_timeout": "30",
    "set_dot_timeout": "120",
    "set_verify": "on",
}


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(make_user(roles.OPERATIONS))
    return client


def address(name: str, pk: int) -> str:
    return reverse(f"admin:messaging_{name}_change", args=[pk])


def add_smtp(client: Client, **changes: str) -> Any:
    return client.post(reverse(ADD) + "?channel=email&backend=smtp", {**SMTP, **changes})


def test_one_chooses_channel_and_provider_first(operator: Client) -> None:
    page = operator.get(reverse(ADD)).content.decode()
    assert "?channel=email&amp;backend=smtp" in page
    assert "backend=memory" not in page
    assert "set_host" in operator.get(reverse(ADD) + "?channel=email&backend=smtp").content.decode()
    assert "?channel=email" in operator.get(reverse(ADD) + "?channel=sms&backend=smtp").content.decode()


def test_a_secret_is_written_and_never_shown(operator: Client) -> None:
    assert add_smtp(operator).status_code == 302
    account = ProviderAccount.objects.get(name="Mail one")
    assert json.loads(account.secrets)["password"] == "hush-hush"
    assert "hush-hush" not in json.dumps(account.config)
    page = operator.get(address("provideraccount", account.pk)).content.decode()
    assert "hush-hush" not in page
    assert "mail.example" in page
    history = operator.get(reverse("admin:messaging_provideraccount_history", args=[account.pk]))
    assert history.status_code == 200
    assert "hush-hush" not in history.content.decode()
    assert "hush-hush" not in str(list(AuditEntry.objects.values()))


def test_an_empty_secret_keeps_the_one_there_is(operator: Client) -> None:
    add_smtp(operator)
    account = ProviderAccount.objects.get(name="Mail one")
    data = {**SMTP, "set_password": "", "set_host": "two.example", "expected_version": str(account.version)}
    assert operator.post(address("provideraccount", account.pk), data).status_code == 302
    account.refresh_from_db()
    assert account.config["host"] == "two.example"
    assert json.loads(account.secrets)["password"] == "hush-hush"


def test_a_stale_form_keeps_what_was_typed(operator: Client) -> None:
    add_smtp(operator)
    account = ProviderAccount.objects.get(name="Mail one")
    data = {**SMTP, "set_host": "mine.example", "expected_version": "99"}
    answer = operator.post(address("provideraccount", account.pk), data)
    assert answer.status_code == 200
    assert "meanwhile" in answer.content.decode()
    assert "mine.example" in answer.content.decode()


@pytest.mark.parametrize(
    "changes",
    [{"set_host": ""}, {"set_port": "x"}, {"set_from_email": "x"}, {"name": ""}, {"rate_per_second": "0"}],
)
def test_bad_settings_are_refused_in_their_place(operator: Client, changes: dict[str, str]) -> None:
    answer = add_smtp(operator, **changes)
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    assert not ProviderAccount.objects.filter(backend="smtp").exists()


def test_identities_are_made_and_changed_with_a_history(operator: Client) -> None:
    data = {
        "name": "Brand",
        "channel": "sms",
        "signature": "路安生活",
        "classes": ["promotional"],
        "active": "on",
    }
    assert operator.post(reverse("admin:messaging_senderidentity_add"), data).status_code == 302
    identity = SenderIdentity.objects.get(name="Brand")
    assert identity.classes == ["promotional"]
    page = operator.post(
        address("senderidentity", identity.pk), {**data, "signature": "【路安】", "expected_version": "1"}
    )
    assert "without 【】" in page.content.decode()
    operator.post(
        address("senderidentity", identity.pk), {**data, "signature": "路安", "expected_version": "1"}
    )
    identity.refresh_from_db()
    assert (identity.signature, identity.version, identity.history.count()) == ("路安", 2, 2)


@pytest.mark.parametrize("role", [roles.MARKETING_EDITOR, roles.AGENT, roles.ANALYST, roles.ADMINISTRATOR])
def test_only_operations_see_them(client: Client, role: str) -> None:
    client.force_login(make_user(role))
    account = ProviderAccount.objects.first()
    policy = SendingPolicy.objects.first()
    assert account is not None
    assert policy is not None
    for one in (
        reverse(ADD),
        address("provideraccount", account.pk),
        reverse("admin:messaging_provideraccount_changelist"),
        address("sendingpolicy", policy.pk),
        reverse("admin:messaging_senderidentity_add"),
    ):
        assert client.get(one).status_code in (302, 403), one
    assert add_smtp(client).status_code == 403


def test_an_account_that_is_none_is_not_found(operator: Client) -> None:
    base = reverse("admin:messaging_provideraccount_changelist")
    assert operator.get(f"{base}999999/change/").status_code == 404
    assert operator.get(f"{base}abc/change/").status_code == 404
    assert operator.post(reverse(ADD), SMTP).status_code == 404
