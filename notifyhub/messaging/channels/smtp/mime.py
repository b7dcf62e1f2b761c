"""Writing a mail as bytes: RFC 5322 and 2045.

The standard library's EmailMessage makes 400 of these a second and would be the slowest part of sending, so
the few forms that are needed are written here and read back with the standard library in the tests. What all
mails of a sender have in common is written once.
"""

import re
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

from notifyhub.messaging.channels.base import Attachment, Message
from notifyhub.messaging.channels.smtp.bodies import base64_lines, encode_text, goes_as_it_is
from notifyhub.messaging.channels.smtp.dkim import Signer
from notifyhub.messaging.channels.smtp.headers import (
    check_address,
    extra_header,
    file_name,
    file_type,
    header_text,
    mailbox,
)

_LEADING_DOT = re.compile(rb"\n\.")
# Nobody can guess it, and a text that has it all the same gets another.
_TOKEN = secrets.token_hex(12)


def build_mail(
    message: Message,
    *,
    sender_name: str,
    sender: str,
    now: datetime | None = None,
    eight_bit: bool = False,
    signer: Signer | None = None,
) -> bytes:
    """Return the mail with CRLF line ends, without the dot-stuffing of the transport; raises MailError.

    The Message-ID follows from the message's key, so a second try of the same message bears the same.
    `eight_bit` says that the server takes text as it is. A signed mail avoids that: a server on its way that
    cannot would write it anew and break the signature (RFC 6376 5.3).
    """
    name = message_id(message, sender)
    parts = write_parts(
        message, name, sender_name=sender_name, sender=sender, now=now, eight_bit=eight_bit, signer=signer
    )
    return b"".join(parts)


def write_parts(
    message: Message,
    name: str,
    *,
    sender_name: str,
    sender: str,
    now: datetime | None = None,
    eight_bit: bool = False,
    signer: Signer | None = None,
) -> tuple[bytes, bytes, bytes]:
    """Return the mail of that Message-ID in three pieces, no line of the second beginning with a dot."""
    if signer is not None:
        eight_bit = False
    head = [
        _skeleton(sender_name, sender, message.sender.reply_to),
        f"To: {mailbox(message.to_name, check_address(message.to))}\r\n"
        f"Subject: {header_text(message.subject)}\r\n"
        f"Date: {_date(int(now.timestamp() if now else time.time()))}\r\n"
        f"Message-ID: {name}\r\n",
    ]
    head += [extra_header(name, value) for name, value in message.headers]
    page = message.page
    if (
        page is not None
        and not page.dots
        and not message.attachments
        and signer is None
        and (eight_bit or page.data.isascii())
        and goes_as_it_is(page.data)
    ):
        kind, before, after = _around(message, page.data, eight_bit=eight_bit)
        head.append(kind)
        return b"%b\r\n%b" % ("".join(head).encode("ascii", "replace"), before), page.data, after
    kind, body = _text(message, eight_bit=eight_bit)
    if message.attachments:
        kind, body = _with_files(kind, body, message.attachments)
    head.append(kind)
    top = "".join(head).encode("ascii", "replace")
    if signer is not None:
        top = signer.sign(top, body) + top
    return b"%b\r\n%b" % (top, body), b"", b""


def message_id(message: Message, sender: str) -> str:
    """Return the Message-ID of a message; without a host of its own it bears the sender's domain."""
    return f"<{message.key}@{message.host or sender.rpartition('@')[2]}>"


def stuff_dots(data: bytes) -> bytes:
    """Return `data` with a dot before each leading dot, ending in a line end (RFC 5321 4.5.2)."""
    if data.startswith(b"."):
        data = b"." + data
    # Most mails have none, and to look for it is cheaper than to replace nothing.
    if _LEADING_DOT.search(data):
        data = _LEADING_DOT.sub(b"\n..", data)
    return data if data.endswith(b"\r\n") else data + b"\r\n"


@lru_cache(maxsize=256)
def _skeleton(sender_name: str, sender: str, reply_to: str) -> str:
    """Return the headers that all mails of a sender begin with."""
    head = f"From: {mailbox(sender_name, check_address(sender))}\r\nMIME-Version: 1.0\r\n"
    return f"{head}Reply-To: {check_address(reply_to)}\r\n" if reply_to else head


@lru_cache(maxsize=4)
def _date(second: int) -> str:
    return format_datetime(datetime.fromtimestamp(second, UTC))


def _text(message: Message, *, eight_bit: bool) -> tuple[str, bytes]:
    """Return the headers of the message's text, and the text in its one or two forms."""
    html = message.html if message.page is None else message.page.html
    if html is None:
        coding, plain = encode_text(message.text, eight_bit=eight_bit)
        return _part("plain", coding), plain + b"\r\n"
    coding, page = encode_text(html, eight_bit=eight_bit)
    kind, before, after = _around(message, page, coding=coding, eight_bit=eight_bit)
    return kind, b"".join((before, page, after))


def _around(message: Message, page: bytes, *, coding: str = "", eight_bit: bool) -> tuple[str, bytes, bytes]:
    """Return the headers of a message in two forms, and what stands before and behind its page."""
    plain_coding, plain = encode_text(message.text, eight_bit=eight_bit)
    if not coding:
        coding = "7bit" if page.isascii() else "8bit"
    token = _TOKEN
    while (mark := f"=_a{token}".encode()) in plain or mark in page:
        token = secrets.token_hex(12)
    kind, start, middle, end = _frame(token, plain_coding, coding)
    return kind, b"".join((start, plain, middle)), end


@lru_cache(maxsize=64)
def _frame(token: str, plain_coding: str, page_coding: str) -> tuple[str, bytes, bytes, bytes]:
    """Return the headers of two forms, and what stands before, between and behind them."""
    mark = f"--=_a{token}"
    return (
        f'Content-Type: multipart/alternative; boundary="=_a{token}"\r\n',
        f"{mark}\r\n{_part('plain', plain_coding)}\r\n".encode(),
        f"\r\n{mark}\r\n{_part('html', page_coding)}\r\n".encode(),
        f"\r\n{mark}--\r\n".encode(),
    )


def _part(kind: str, coding: str) -> str:
    return f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: {coding}\r\n'


def _with_files(kind: str, body: bytes, files: Sequence[Attachment]) -> tuple[str, bytes]:
    boundary = f"=_m{_TOKEN}"
    while boundary.encode() in body:
        boundary = f"=_m{secrets.token_hex(12)}"
    mark = f"--{boundary}\r\n"
    parts = [f"{mark}{kind}\r\n".encode(), body]
    for one in files:
        head = (
            f"{mark}Content-Type: {file_type(one.content_type)}\r\nContent-Transfer-Encoding: base64\r\n"
            f"Content-Disposition: {file_name(one.name)}\r\n\r\n"
        )
        parts += [b"\r\n", head.encode("ascii", "replace"), base64_lines(one.content)]
    parts.append(f"\r\n--{boundary}--\r\n".encode())
    return f'Content-Type: multipart/mixed; boundary="{boundary}"\r\n', b"".join(parts)
