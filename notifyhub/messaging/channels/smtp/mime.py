"""Writing a mail as bytes: RFC 5322, 2045 and 2047, with Chinese names and subjects.

The standard library's EmailMessage makes 400 of these a second and would be the slowest part of sending, so
the few forms that are needed are written here and read back with the standard library in the tests.
"""

import re
from base64 import b64encode
from binascii import b2a_base64
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import blake2b

from notifyhub.messaging.channels.base import Message

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_PLAIN_PHRASE = re.compile(r"^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~ ]*$")
# An encoded word is at most 75 long: 12 for =?utf-8?b??=, and base64 makes 4 of 3.
_WORD_BYTES = 45
_LINE = 57
_FOLD = 76


def one_line(text: str) -> str:
    """Return `text` without any character that could end a header."""
    return _CONTROLS.sub(" ", text).strip()


def encode_words(text: str) -> str:
    """Return `text` as RFC 2047 encoded words, folded, no character torn in two."""
    words: list[str] = []
    part = b""
    for character in text:
        raw = character.encode("utf-8", "replace")
        if len(part) + len(raw) > _WORD_BYTES:
            words.append(b64encode(part).decode())
            part = b""
        part += raw
    words.append(b64encode(part).decode())
    return "\r\n ".join(f"=?utf-8?b?{word}?=" for word in words)


def header_text(text: str) -> str:
    """Return the value of an unstructured header (a subject)."""
    text = one_line(text)
    # Long or odd plain text is encoded too: folding would have to guess where a blank may become a break.
    if text.isascii() and len(text) <= _FOLD and "=?" not in text:
        return text
    return encode_words(text)


def mailbox(name: str, address: str) -> str:
    """Return `name <address>` for From, To and Reply-To; the address alone if there is no name."""
    name = one_line(name)
    if not name:
        return address
    if _PLAIN_PHRASE.match(name) and len(name) <= 60:
        return f"{name} <{address}>"
    if name.isascii() and len(name) <= 60 and "=?" not in name:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{address}>'
    return f"{encode_words(name)}\r\n <{address}>"


def _body(text: str) -> bytes:
    # Mail's lines end in CRLF, in encoded text too.
    raw = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").encode("utf-8", "replace")
    # Long lines of the encoder, cut at 76: thrice as fast as encoding line by line.
    return b"".join(b2a_base64(raw[i : i + _LINE]) for i in range(0, len(raw), _LINE)).replace(b"\n", b"\r\n")


def _part(kind: str, text: str) -> bytes:
    head = f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    return head.encode() + _body(text)


def build_mail(message: Message, *, sender_name: str, sender: str, now: datetime | None = None) -> bytes:
    """Return the mail with CRLF line ends, without the dot-stuffing of the transport.

    The Message-ID follows from the message's key, so a second try of the same message bears the same.
    """
    headers: list[tuple[str, str]] = [
        ("From", mailbox(sender_name, sender)),
        ("To", mailbox(message.to_name, message.to)),
        ("Subject", header_text(message.subject)),
        ("Date", format_datetime(now or datetime.now(UTC))),
        ("Message-ID", message_id(message, sender)),
        ("MIME-Version", "1.0"),
    ]
    if message.sender.reply_to:
        headers.append(("Reply-To", mailbox("", message.sender.reply_to)))
    headers += [(name, one_line(value)) for name, value in message.headers]
    if message.html is None:
        return _head(headers) + _part("plain", message.text)
    boundary = "=_" + blake2b(message.key.encode(), digest_size=12).hexdigest()
    mark = f"--{boundary}\r\n".encode()
    headers.append(("Content-Type", f'multipart/alternative; boundary="{boundary}"'))
    return b"".join(
        (
            _head(headers),
            b"\r\n",
            mark,
            _part("plain", message.text),
            mark,
            _part("html", message.html),
            f"--{boundary}--\r\n".encode(),
        )
    )


def message_id(message: Message, sender: str) -> str:
    """Return the Message-ID of a message; without a host of its own it bears the sender's domain."""
    return f"<{message.key}@{message.host or sender.rpartition('@')[2]}>"


def _head(headers: Iterable[tuple[str, str]]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode("ascii", "replace")
