"""DKIM: a verifier written from the RFC finds right what we signed, and wrong what somebody changed."""

import base64
import email
import email.policy
import json
import re
from hashlib import sha256
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from django.test import Client
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from notifyhub.core.errors import Refused
from notifyhub.messaging.channels.base import Attachment, Message
from notifyhub.messaging.channels.smtp.backend import SmtpBackend
from notifyhub.messaging.channels.smtp.dkim import Signer, read_key, signer_of
from notifyhub.messaging.channels.smtp.mime import build_mail
from notifyhub.messaging.models import ProviderAccount
from notifyhub.messaging.services.accounts import create_account
from notifyhub.staff import roles
from notifyhub.staff.tests.factories import make_user

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ED = ed25519.Ed25519PrivateKey.generate()
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=120)

# RFC 8463, appendix A.3, to see that the verifier itself is right.
EXAMPLE = """\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
"""
EXAMPLE_KEY = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


def pem(key: Any, password: bytes | None = None) -> str:
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock).decode()


def verify(raw: bytes, key: Any) -> str:
    """Return the algorithm if the first DKIM-Signature of a mail holds; raise InvalidSignature."""
    head, _, body = raw.partition(b"\r\n\r\n")
    headers = [
        (name.strip().lower(), value)
        for name, _, value in (line.partition(b":") for line in re.split(rb"\r\n(?![ \t])", head))
    ]
    signature = next(value for name, value in headers if name == b"dkim-signature")
    tags = {
        name.strip(): re.sub(rb"\s", b"", value)
        for name, _, value in (one.partition(b"=") for one in signature.split(b";") if one.strip())
    }
    assert (tags[b"v"], tags[b"c"]) == (b"1", b"relaxed/relaxed")
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    hashed = sha256(b"".join(line + b"\r\n" for line in lines)).digest()
    if base64.b64decode(tags[b"bh"]) != hashed:
        raise InvalidSignature("body")

    def relaxed(name: bytes, value: bytes) -> bytes:
        return name + b":" + re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip()

    data, left = b"", list(headers)
    for wanted in tags[b"h"].lower().split(b":"):
        places = [place for place, (name, _) in enumerate(left) if name == wanted]
        # Of several the last comes first, and one that is not there is nothing.
        if places:
            data += relaxed(*left.pop(places[-1])) + b"\r\n"
    data += relaxed(b"dkim-signature", re.sub(rb"(\bb=)[^;]*", rb"\1", signature))
    value = base64.b64decode(tags[b"b"])
    if tags[b"a"] == b"rsa-sha256":
        key.verify(value, data, padding.PKCS1v15(), hashes.SHA256())
    else:
        key.verify(value, sha256(data).digest())
    return tags[b"a"].decode()


def message(**fields: Any) -> Message:
    facts = {"reference": "1-2", "key": "abc.2", "channel": "email", "to": "li@mail.example", "text": "Hello"}
    return Message(**{**facts, **fields})


def signed(key: Any, **fields: Any) -> bytes:
    signer = Signer(domain="shop.example", selector="s1", key=key)
    return build_mail(message(**fields), sender_name="觅食", sender="news@shop.example", signer=signer)


def test_the_verifier_agrees_with_the_example_of_the_rfc() -> None:
    key = ed25519.Ed25519PublicKey.from_public_bytes(base64.b64decode(EXAMPLE_KEY))
    raw = EXAMPLE.replace("\n", "\r\n").encode()
    assert verify(raw, key) == "ed25519-sha256"
    with pytest.raises(InvalidSignature):
        verify(raw.replace(b"dinner", b"supper"), key)


@settings(max_examples=60, deadline=None)
@given(subject=words, name=words, text=words, html=st.none() | words, use_rsa=st.booleans())
def test_every_mail_is_signed_right(
    subject: str, name: str, text: str, html: str | None, use_rsa: bool
) -> None:
    key: Any = RSA if use_rsa else ED
    files = (Attachment(name="账单.pdf", content_type="application/pdf", content=b"x" * 200),)
    raw = signed(key, subject=subject, to_name=name, text=f"  {text}\t \n\n", html=html, attachments=files)
    assert verify(raw, key.public_key()) == ("rsa-sha256" if use_rsa else "ed25519-sha256")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Subject: Hi", b"Subject: Ho"),
        (b"From: ", b"From: x"),
        (b"li@mail", b"le@mail"),
        (b"One-Click", b"Two-Click"),
        (b"/u/1", b"/u/2"),
        (b"Hello", b"Hullo"),
        (b"text/plain", b"text/html"),
        # A second sender, which a reader might show instead of the signed one.
        (b"To: ", b"From: evil@other.example\r\nTo: "),
    ],
)
def test_nothing_that_matters_can_be_changed_behind_the_signature(old: bytes, new: bytes) -> None:
    links = (
        ("List-Unsubscribe", "<https://h.example/u/1>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )
    raw = signed(ED, subject="Hi", headers=links)
    verify(raw, ED.public_key())
    assert raw.count(old) == 1 or old == b"To: "
    with pytest.raises(InvalidSignature):
        verify(raw.replace(old, new, 1), ED.public_key())


def test_what_servers_on_the_way_do_to_blanks_breaks_nothing() -> None:
    raw = signed(RSA, subject="Hi there", text="two  blanks \n\n\n")
    again = raw.replace(b"Subject: Hi there", b"SUBJECT:\tHi   there ").replace(
        b"two  blanks ", b"two blanks"
    )
    assert again != raw
    verify(again.rstrip(b"\r\n") + b"\r\n", RSA.public_key())


def test_a_signed_mail_is_never_in_eight_bits_and_its_lines_are_short() -> None:
    signer = Signer(domain="shop.example", selector="s1", key=RSA)
    raw = build_mail(
        message(text="您好"), sender_name="", sender="a@b.example", eight_bit=True, signer=signer
    )
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 78
    assert raw.startswith(b"DKIM-Signature: ")
    found = email.message_from_bytes(raw, policy=email.policy.default)
    assert found["From"].addresses[0].addr_spec == "a@b.example"


def test_a_key_that_lost_its_line_breaks_is_read_all_the_same() -> None:
    key = read_key(" ".join(pem(RSA).split("\n")))
    assert key.public_key() == RSA.public_key()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hush",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n=\n-----END PRIVATE KEY-----",
        pem(ec.generate_private_key(ec.SECP256R1())),
        pem(ED, b"locked"),
        pem(RSA)[:200],
    ],
)
def test_a_wrong_key_is_refused_in_its_place(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        signer_of({"dkim_domain": "shop.example", "dkim_selector": "s1", "dkim_key": text})
    assert refusal.value.field == "dkim_key"


@pytest.mark.django_db
def test_a_key_without_a_domain_is_not_kept_silently() -> None:
    with pytest.raises(Refused, match="domain and the selector") as refusal:
        create_account(
            channel="email",
            backend="smtp",
            name="Relay",
            values={"host": "mail.example", "from_email": "news@shop.example", "dkim_key": pem(ED)},
        )
    assert refusal.value.field == "dkim_domain"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"dkim_domain": ""}, "dkim_domain"),
        ({"dkim_selector": ""}, "dkim_selector"),
        ({"dkim_domain": "shop.example; x=1"}, "dkim_domain"),
        ({"dkim_selector": "s 1"}, "dkim_selector"),
        ({"from_email": "新闻@shop.example"}, "from_email"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_their_place(changes: dict[str, Any], field: str) -> None:
    whole = {one.name: one.default for one in SmtpBackend.fields}
    whole |= {"host": "mail.example", "from_email": "news@shop.example"}
    whole |= {"dkim_domain": "shop.example", "dkim_selector": "s1", "dkim_key": pem(ED)}
    SmtpBackend.check_settings(whole)
    with pytest.raises(Refused) as refusal:
        SmtpBackend.check_settings({**whole, **changes})
    assert refusal.value.field == field


@pytest.mark.django_db
def test_the_form_takes_a_key_of_many_lines_and_never_shows_it(client: Client) -> None:
    client.force_login(make_user(roles.OPERATIONS))
    values = {"host": "mail.example", "from_email": "news@shop.example"}
    account = create_account(channel="email", backend="smtp", name="Main", values=values)
    page = reverse("admin:messaging_provideraccount_change", args=[account.pk])
    form = {"name": "Main", "priority": "10", "rate_per_second": "50", "active": "on"}
    form |= {"expected_version": "1", "set_host": "mail.example", "set_from_email": "news@shop.example"}
    form |= {"set_port": "587", "set_security": "starttls", "set_connections": "4", "set_timeout": "30"}
    form |= {"set_dot_timeout": "120", "set_dkim_domain": "shop.example", "set_dkim_selector": "s1"}
    wrong = client.post(page, {**form, "set_dkim_key": "hush-hush"})
    assert wrong.status_code == 200
    assert "BEGIN" in wrong.content.decode()
    assert "hush-hush" not in wrong.content.decode()
    assert client.post(page, {**form, "set_dkim_key": pem(RSA).replace("\n", "\r\n")}).status_code == 302
    account = ProviderAccount.objects.get(name="Main")
    kept = json.loads(account.secrets or "{}")
    assert read_key(kept["dkim_key"]).public_key() == RSA.public_key()
    shown = client.get(page).content.decode()
    assert "textarea" in shown
    assert kept["dkim_key"][40:80] not in shown
