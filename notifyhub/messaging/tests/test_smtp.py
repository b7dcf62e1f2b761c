"""The SMTP backend against a real server: what each way to fail proves."""

import asyncio
import contextlib
import dataclasses
import email
import email.policy
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from notifyhub.messaging.channels.base import LEASE_LOST, Attachment, Message, Result
from notifyhub.messaging.channels.smtp.backend import SmtpBackend
from notifyhub.messaging.channels.smtp.session import SmtpConfig, SmtpError, end_session, open_session
from notifyhub.messaging.tests.kit.processes import lines_of, sink

pytestmark = pytest.mark.processes


def backend(port: int, **more: Any) -> SmtpBackend:
    settings = {"host": "127.0.0.1", "port": port, "security": "none", "from_email": "news@shop.example"}
    return SmtpBackend({**settings, **more})


def mails(*addresses: str) -> list[Message]:
    return [
        Message(reference=f"1-{n}", key=f"k{n}", channel="email", to=to, subject="您好", text="Hi\n.\nyou")
        for n, to in enumerate(addresses)
    ]


def send(account: SmtpBackend, messages: Sequence[Message], **options: Any) -> list[Result]:
    async def run() -> list[Result]:
        try:
            return await account.send_many(messages, **options)
        finally:
            await account.close()

    return asyncio.run(run())


def test_every_message_gets_the_answer_that_is_its_own(tmp_path: Path) -> None:
    addresses = ["a@x.example", "reject@x.example", "busy@x.example", "b@x.example", "drop@x.example"]
    addresses += ["gone@x.example", "c@x.example", "d@x.example"]
    with sink(tmp_path) as (port, log):
        results = send(backend(port, connections=2, timeout=5, dot_timeout=5), mails(*addresses))
    kinds = dict(zip(addresses, (one.kind for one in results), strict=True))
    assert kinds == {
        "a@x.example": "accepted",
        "reject@x.example": "permanent",
        "busy@x.example": "transient",
        "b@x.example": "accepted",
        "drop@x.example": "ambiguous",
        "gone@x.example": "transient",
        "c@x.example": "accepted",
        "d@x.example": "accepted",
    }
    assert results[1].code == "550"
    assert not results[2].account_trouble
    assert results[5].account_trouble
    assert results[0].provider_ref == "k0@shop.example"
    taken = sorted(line.split()[0] for line in lines_of(log))
    assert taken == ["a@x.example", "b@x.example", "c@x.example", "d@x.example", "drop@x.example"]


def test_connections_are_kept_and_a_stale_one_is_replaced(tmp_path: Path) -> None:
    with sink(tmp_path) as (port, _log):
        account = backend(port, connections=1)

        async def run() -> list[str]:
            first = await account.send_many(mails("a@x.example"))
            (kept,) = account._idle
            second = await account.send_many(mails("b@x.example"))
            assert account._idle == [kept]
            kept.wire.transport.abort()
            third = await account.send_many(mails("c@x.example"))
            await account.close()
            return [one.kind for one in (*first, *second, *third)]

        assert asyncio.run(run()) == ["accepted"] * 3


def test_a_mail_arrives_as_it_was_written(tmp_path: Path) -> None:
    folder = tmp_path / "mails"
    folder.mkdir()
    with sink(tmp_path, "--mails", str(folder)) as (port, _log):
        send(backend(port, from_name="觅食"), mails("a@x.example"))
    raw = (folder / "k0@shop.example.eml").read_bytes()
    found: Any = email.message_from_bytes(raw, policy=email.policy.default)
    assert found["Subject"] == "您好"
    assert found.get_content() == "Hi\r\n.\r\nyou\r\n"


def test_nobody_answering_is_trouble_of_the_account() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    results = send(backend(port, timeout=3), mails("a@x.example", "b@x.example"))
    assert {(one.kind, one.account_trouble) for one in results} == {("transient", True)}


def test_nothing_is_handed_over_without_a_lease(tmp_path: Path) -> None:
    with sink(tmp_path) as (port, log):
        results = send(backend(port), mails("a@x.example", "b@x.example"), may_send=lambda: False)
        assert lines_of(log) == []
    assert results == [LEASE_LOST, LEASE_LOST]


def certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "cert.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_it_speaks_tls_and_logs_in(tmp_path: Path) -> None:
    with sink(tmp_path, "--cert", str(certificate(tmp_path)), "--auth", "li:hush") as (port, log):
        login = {"security": "starttls", "username": "li", "password": "hush"}
        assert send(backend(port, verify=False, **login), mails("a@x.example"))[0].kind == "accepted"
        assert len(lines_of(log)) == 1
        wrong = send(backend(port, verify=False, **{**login, "password": "no"}), mails("b@x.example"))[0]
        assert (wrong.kind, wrong.code, wrong.account_trouble) == ("transient", "535", True)
        # A certificate of nobody is not talked to.
        assert send(backend(port, **login), mails("c@x.example"))[0].kind == "transient"
        assert len(lines_of(log)) == 1


def test_a_server_without_starttls_is_not_trusted_with_plain_text(tmp_path: Path) -> None:
    with sink(tmp_path) as (port, log):
        assert send(backend(port, security="starttls"), mails("a@x.example"))[0].kind == "transient"
        assert lines_of(log) == []


async def scripted(*chunks: bytes) -> str:
    """Talk to a server that says only this; return how the connection took it."""

    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            for chunk in chunks:
                writer.write(chunk)
                await writer.drain()
                await reader.readline()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        config = SmtpConfig(host="127.0.0.1", port=port, security="none", timeout=2)
        try:
            wire, _extensions = await open_session(config)
        except SmtpError as error:
            return f"error {error.code}"
        else:
            await end_session(wire)
            return "connected"
        finally:
            await ended.wait()
            # The loop closes a dropped socket in its next turn.
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("chunks", "outcome"),
    [
        ((b"220 hi\r\n", b"250-mail\r\n250 8BITMIME\r\n"), "connected"),
        ((b"220 hi\r\n", b"502 what\r\n", b"250 fine\r\n"), "connected"),
        ((b"554 go away\r\n",), "error 554"),
        ((b"HTTP/1.1 400 Bad Request\r\n",), "error 0"),
        ((b"220-" + b"x" * 9000 + b"\r\n",), "error 0"),
        ((b"220-more\r\n" * 200,), "error 0"),
        ((b"",), "error 0"),
    ],
)
def test_odd_servers_are_an_error_and_never_a_hang(chunks: tuple[bytes, ...], outcome: str) -> None:
    assert asyncio.run(scripted(*chunks)) == outcome


def test_an_address_cannot_carry_a_second_command(tmp_path: Path) -> None:
    with sink(tmp_path) as (port, log):
        (result,) = send(backend(port), mails("a@x.example>\r\nRCPT TO:<b@x.example"))
        assert result.kind == "permanent"
        assert lines_of(log) == []


@pytest.mark.parametrize(
    "to", ["李雷@x.example", "li@邮箱.example", "a b@x.example", "<a@x.example>", "nobody", ""]
)
def test_what_is_no_plain_mailbox_is_refused_by_name_and_costs_the_others_nothing(
    tmp_path: Path, to: str
) -> None:
    with sink(tmp_path) as (port, log):
        results = send(backend(port), mails("a@x.example", to, "b@x.example"))
        assert [one.kind for one in results] == ["accepted", "permanent", "accepted"]
        assert results[1].code == "address"
        assert len(lines_of(log)) == 2


def test_a_mail_too_large_for_the_server_is_not_offered(tmp_path: Path) -> None:
    large = Attachment(name="a.bin", content_type="application/pdf", content=b"x" * 30_000_000)
    message = dataclasses.replace(mails("a@x.example")[0], attachments=(large,))
    with sink(tmp_path) as (port, log):
        (result,) = send(backend(port), [message])
        assert (result.kind, result.code) == ("permanent", "552")
        assert lines_of(log) == []


def test_a_large_mail_arrives_whole(tmp_path: Path) -> None:
    folder = tmp_path / "mails"
    folder.mkdir()
    content = bytes(range(256)) * 4000
    file = Attachment(name="账单.pdf", content_type="application/pdf", content=content)
    message = dataclasses.replace(mails("a@x.example")[0], attachments=(file,))
    options = ("--mails", str(folder), "--cert", str(certificate(tmp_path)))
    with sink(tmp_path, *options) as (port, _log):
        later = dataclasses.replace(mails("b@x.example")[0], key="k1")
        results = send(backend(port, security="starttls", verify=False, connections=1), [message, later])
        assert [one.kind for one in results] == ["accepted"] * 2
    raw = (folder / "k0@shop.example.eml").read_bytes()
    found: Any = email.message_from_bytes(raw, policy=email.policy.default)
    (attached,) = found.iter_attachments()
    assert attached.get_filename() == "账单.pdf"
    assert attached.get_content() == content
