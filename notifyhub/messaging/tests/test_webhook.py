"""The signed webhook, and what holds for everything that speaks HTTP."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from notifyhub.core.errors import Refused
from notifyhub.messaging.channels.base import Attachment, Message, Sender
from notifyhub.messaging.channels.http import Answer
from notifyhub.messaging.channels.http.guard import check_endpoint, is_public
from notifyhub.messaging.channels.webhook import WebhookBackend
from notifyhub.messaging.channels.webhook.backend import describe, read_answer
from notifyhub.messaging.channels.webhook.signing import is_signed, sign
from notifyhub.messaging.services.accounts import create_account
from notifyhub.messaging.tests.kit.contract import send
from notifyhub.messaging.tests.kit.processes import http_sink, lines_of

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def test_it_signs_as_the_specification_does() -> None:
    headers = sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        name="msg_p5jXN8AQM9LWM0D4loKWxJek",
        now=datetime.fromtimestamp(1614265330, UTC),
        body=b'{"test": 2432232314}',
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_it_signed_is_right_for_five_minutes() -> None:
    headers = sign("plain words", name="a", now=NOW, body=b"{}")
    assert is_signed("other words", headers, b"{}", now=NOW) is False
    secret = "plain words"
    assert is_signed(secret, headers, b"{}", now=NOW + timedelta(seconds=300))
    assert not is_signed(secret, headers, b"{}", now=NOW + timedelta(seconds=301))
    assert not is_signed(secret, headers, b"{} ", now=NOW)


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "trouble"),
    [
        (202, {}, b"", "accepted", False),
        (200, {"content-type": "text/plain"}, b"thanks", "accepted", False),
        (200, {"content-type": "application/json"}, b'{"id": "gw-1"}', "accepted", False),
        (200, {"content-type": "application/json"}, b'{"id": "gw', "ambiguous", False),
        (200, {"content-type": "application/json"}, b'{"error": "no credit"}', "transient", False),
        (301, {}, b"", "permanent", False),
        (400, {}, b"", "permanent", False),
        (422, {}, b"", "permanent", False),
        (401, {}, b"", "transient", True),
        (404, {}, b"", "transient", True),
        (408, {}, b"", "transient", False),
        (409, {}, b"", "ambiguous", False),
        (429, {}, b"", "transient", True),
        (503, {}, b"", "transient", True),
        (500, {}, b"", "ambiguous", False),
        (504, {}, b"", "ambiguous", False),
        (199, {}, b"", "ambiguous", False),
    ],
)
def test_each_status_is_as_certain_as_it_can_be(
    status: int, headers: dict[str, str], body: bytes, kind: str, trouble: bool
) -> None:
    found = read_answer(Answer(status=status, headers=headers, body=body))
    assert (found.kind, found.account_trouble) == (kind, trouble)


@pytest.mark.parametrize(
    ("wish", "seconds"),
    [
        ("120", 120.0),
        ("Sun, 22 Nov 2026 09:02:00 GMT", 120.0),
        ("Sun, 22 Nov 2026 08:00:00 GMT", 0.0),
        ("999999999999", 86400.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("１２", None),
    ],
)
def test_a_wish_to_wait_comes_in_seconds_or_as_a_date(wish: str, seconds: float | None) -> None:
    assert Answer(status=429, headers={"retry-after": wish}).retry_after(now=NOW) == seconds


def test_the_other_side_gets_the_whole_message() -> None:
    message = Message(
        reference="1-2",
        key="k.2",
        channel="push",
        to="token",
        text="您好",
        sender=Sender(name="店"),
        template="sale",
        params=(("customer.name", "小李"),),
        attachments=(Attachment(name="a.pdf", content_type="application/pdf", content=b"%PDF"),),
    )
    told = json.loads(json.dumps(describe(message)))
    assert (told["key"], told["to"], told["params"]) == ("k.2", "token", {"customer.name": "小李"})
    assert base64.b64decode(told["attachments"][0]["content"]) == b"%PDF"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "ff02::1",
        "localhost",
        "",
    ],
)
def test_an_inner_address_is_none_of_the_open_internet(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_outer_address_is(address: str) -> None:
    assert is_public(address)


@pytest.fixture
def production(settings: Any) -> Any:
    settings.PRODUCTION = True
    settings.PRIVATE_ENDPOINTS = ["gateway.corp.example"]
    return settings


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://api.vendor.example/send", True),
        ("http://api.vendor.example/send", False),
        ("https://127.0.0.1/", False),
        ("https://[::1]/", False),
        ("https://8.8.8.8/", True),
        ("http://gateway.corp.example:8080/", True),
    ],
)
def test_in_production_only_the_open_internet_is_spoken_to(production: Any, url: str, allowed: bool) -> None:
    if allowed:
        check_endpoint(url)
        return
    with pytest.raises(Refused):
        check_endpoint(url)


@pytest.mark.django_db
def test_the_account_says_so_when_it_is_made(production: Any) -> None:
    values = {"endpoint": "https://169.254.169.254/latest", "secret": "x"}
    with pytest.raises(Refused) as refusal:
        create_account(channel="sms", backend="webhook", name="W", values=values)
    assert refusal.value.field == "endpoint"


def message(to: str = "ok.1@mail.example") -> Message:
    return Message(reference="1-2", key="k.2", channel="email", to=to, text="好")


@pytest.mark.processes
def test_a_name_that_leads_inside_is_not_connected_to(tmp_path: Path, production: Any) -> None:
    with http_sink(tmp_path) as (port, log):
        backend = WebhookBackend(
            {"endpoint": f"https://localhost:{port}/send", "secret": "whsec_c2luaw==", "timeout": 5}
        )
        (result,) = send(backend, [message()])
        assert (result.kind, result.account_trouble) == ("transient", True)
        assert "public address" in result.detail
        assert lines_of(log) == []
        production.PRIVATE_ENDPOINTS = ["localhost"]
        trusted = WebhookBackend({**backend.settings, "endpoint": f"http://localhost:{port}/send"})
        assert send(trusted, [message()])[0].kind == "accepted"


@pytest.mark.processes
@pytest.mark.parametrize(
    ("mode", "kind", "code"),
    [
        ("limited", "transient", "429"),
        ("closed", "transient", "503"),
        ("broken", "ambiguous", "500"),
        ("garbage", "ambiguous", "malformed"),
        ("redirect", "permanent", "302"),
        ("unheard", "transient", "error"),
        ("drop", "ambiguous", "no_reply"),
        ("reset", "ambiguous", "no_reply"),
    ],
)
def test_the_server_may_do_as_it_likes(tmp_path: Path, mode: str, kind: str, code: str) -> None:
    with http_sink(tmp_path) as (port, _log):
        backend = WebhookBackend({"endpoint": f"http://127.0.0.1:{port}/send", "secret": "whsec_c2luaw=="})
        (result,) = send(backend, [message(f"{mode}.1@mail.example")])
        assert (result.kind, result.code) == (kind, code)
        assert result.retry_after == {"limited": 7.0, "closed": 9.0}.get(mode)


@pytest.mark.processes
def test_a_wrong_secret_is_trouble_of_the_account(tmp_path: Path) -> None:
    with http_sink(tmp_path) as (port, log):
        backend = WebhookBackend({"endpoint": f"http://127.0.0.1:{port}/send", "secret": "other"})
        assert send(backend, [message()])[0].account_trouble
        assert lines_of(log) == []
