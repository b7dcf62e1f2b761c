"""The form of a provider account: its parts, its mistakes, its secrets."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from django.test import Client
from django.urls import reverse

from notifyhub.messaging.models import ProviderAccount
from notifyhub.messaging.tests.test_dkim import pem
from notifyhub.messaging.tests.test_sender_pages import SMTP, add_smtp, address, operator
from notifyhub.staff.models import AuditEntry

pytestmark = pytest.mark.django_db
assert operator
KEY = pem(ed25519.Ed25519PrivateKey.generate())
NEW = reverse("admin:messaging_provideraccount_add") + "?channel={}&backend={}"


def form_of(answer: Any) -> Any:
    assert answer.status_code == 200
    return answer.context["form"]


@pytest.mark.parametrize(
    ("channel", "backend", "parts"),
    [
        (
            "email",
            "smtp",
            ["account", "connection", "sender", "security", "dkim", "rate", "hours", "advanced"],
        ),
        (
            "sms",
            "aliyun",
            [
                "account",
                "connection",
                "sender",
                "templates",
                "receipts",
                "replies",
                "rate",
                "hours",
                "advanced",
            ],
        ),
        (
            "push",
            "webhook",
            ["account", "connection", "security", "receipts", "replies", "rate", "hours", "advanced"],
        ),
        ("push", "sandbox", ["account", "replies", "rate", "hours"]),
    ],
)
def test_every_field_of_every_backend_stands_in_one_part(
    operator: Client, channel: str, backend: str, parts: list[str]
) -> None:
    answer = operator.get(NEW.format(channel, backend))
    form = form_of(answer)
    found = list(form.parts())
    assert [part.code for part in found] == parts
    shown = [place.field.name for part in found for place in part.places]
    assert sorted(shown) == sorted(name for name in form.fields if name != "expected_version")
    text = answer.content.decode()
    assert all(text.count(f'name="{name}"') == 1 for name in shown)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("set_host", "x"),
        ("set_host", "999.1.2.3"),
        ("set_host", "mail..example"),
        ("set_host", "-mail.example"),
        ("set_port", "0"),
        ("set_port", "65536"),
        ("set_port", "9" * 40),
        ("set_from_email", "x"),
        ("set_from_email", "x@y"),
        ("set_from_email", "a@b@c.example"),
        ("set_from_email", "消息@shop.example"),
        ("set_dkim_domain", "shop example"),
        ("set_dkim_domain", "shop..example"),
        ("set_dkim_selector", "-s"),
        ("set_dkim_key", "no key"),
        ("set_connections", "0"),
        ("set_timeout", "601"),
        ("set_dot_timeout", "-1"),
        ("set_security", "rot13"),
        ("rate_per_second", "0"),
        ("priority", "40000"),
        ("open_from", "25:00"),
    ],
)
def test_what_cannot_be_is_told_at_its_field(operator: Client, name: str, value: str) -> None:
    extra = {"set_dkim_domain": "shop.example", "set_dkim_selector": "s1"} if "dkim" in name else {}
    form = form_of(add_smtp(operator, **{**extra, name: value}))
    assert list(form.errors) == [name]
    assert not ProviderAccount.objects.filter(name=SMTP["name"]).exists()


@pytest.mark.parametrize(
    "url", ["x", "https://x", "ftp://a.example", "https://", "https://a b", "http://1.2.3"]
)
def test_an_address_of_the_web_is_one(operator: Client, url: str) -> None:
    data = {**SMTP, "set_endpoint": url, "set_secret": "s", "set_timeout": "15", "opens_cases": "service"}
    form = form_of(operator.post(NEW.format("push", "webhook"), data))
    assert list(form.errors) == ["set_endpoint"]


@pytest.mark.parametrize(
    "url", ["https://gw.example/send", "gw.example", "http://localhost", "http://gw:8080"]
)
def test_names_of_ones_own_network_are_taken(operator: Client, url: str) -> None:
    data = {**SMTP, "set_endpoint": url, "set_secret": "s", "set_timeout": "15", "opens_cases": "service"}
    assert operator.post(NEW.format("push", "webhook"), data).status_code == 302


def test_all_mistakes_are_told_at_once_and_the_folded_part_opens(operator: Client) -> None:
    answer = add_smtp(operator, set_host="x", set_from_email="x", set_timeout="0")
    assert sorted(form_of(answer).errors) == ["set_from_email", "set_host", "set_timeout"]
    assert '<details class="ac-part ac-part--folded" open>' in answer.content.decode()


def test_a_secret_is_kept_replaced_or_cleared_and_never_shown(operator: Client) -> None:
    signed = {"set_dkim_domain": "shop.example", "set_dkim_selector": "s1", "set_dkim_key": KEY}
    assert add_smtp(operator, **signed).status_code == 302
    account = ProviderAccount.objects.get(name=SMTP["name"])
    url = address("provideraccount", account.pk)

    def save(**changes: str) -> Any:
        account.refresh_from_db()
        data = {**SMTP, **signed, "set_password": "", "set_dkim_key": "", "expected_version": account.version}
        return operator.post(url, {**data, **changes})

    def secrets() -> dict[str, str]:
        account.refresh_from_db()
        found: dict[str, str] = json.loads(account.secrets or "{}")
        return found

    page = operator.get(url).content.decode()
    assert page.count("stored, not shown") == 2
    assert "hush-hush" not in page
    assert "PRIVATE KEY-----" not in page
    before = secrets()
    assert save().status_code == 302
    assert secrets() == before
    assert save(set_password="new-hush").status_code == 302
    assert secrets()["password"] == "new-hush"
    both = form_of(save(set_password="other", clear_password="on"))
    assert list(both.errors) == ["set_password"]
    assert save(clear_password="on").status_code == 302
    assert set(secrets()) == {"dkim_key"}
    # A signature without its key cannot be: the domain goes with it.
    assert "set_dkim_key" in form_of(save(clear_dkim_key="on")).errors
    gone = save(clear_dkim_key="on", set_dkim_domain="", set_dkim_selector="")
    assert gone.status_code == 302
    assert secrets() == {}
    assert "stored, not shown" not in operator.get(url).content.decode()
    entry = AuditEntry.objects.filter(verb="update_account").latest("pk")
    assert entry.detail["cleared"] == ["dkim_key"]
    assert "hush" not in str(list(AuditEntry.objects.values()))


def test_a_secret_that_must_be_there_cannot_be_cleared(operator: Client) -> None:
    data = {
        **SMTP,
        "set_endpoint": "https://gw.example",
        "set_secret": "s",
        "set_timeout": "15",
        "opens_cases": "service",
    }
    operator.post(NEW.format("push", "webhook"), data)
    account = ProviderAccount.objects.get(name=SMTP["name"])
    page = operator.get(address("provideraccount", account.pk)).content.decode()
    assert "stored, not shown" in page
    assert "clear_secret" not in page
