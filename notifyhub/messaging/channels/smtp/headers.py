"""The values of a mail's headers: RFC 5322, 2047 and 2231, with Chinese names and subjects."""

import re
from binascii import b2a_base64
from functools import lru_cache
from urllib.parse import quote

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_PLAIN_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~ ]*")
_NAME = re.compile(r"[!-9;-~]+")
# One mailbox and no room for anything beside it: no blank, no bracket, no second line.
_ADDRESS = re.compile(r"[!-;=?-~]+@[!-;=?A-~]+")
_FILE_TYPE = re.compile(r"(?!multipart/|message/)[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
# An encoded word is at most 75 long: 12 for =?utf-8?b??=, and base64 makes 4 of 3.
_WORD_BYTES = 45
_FOLD = 76
# A line may have 998; what a name adds in front is far less than the rest.
_LONGEST = 900
_ADDRESS_LENGTH = 320


class MailError(ValueError):
    """This message cannot be a mail; `code` says in a word what is wrong with it."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def check_address(address: str) -> str:
    """Return the address if a plain SMTP command can carry it; raise MailError."""
    if not address.isascii():
        raise MailError("address", "Only mailboxes of plain letters (ASCII) can be written to.")
    if len(address) > _ADDRESS_LENGTH or not _ADDRESS.fullmatch(address):
        raise MailError("address", "This is not a mailbox.")
    return address


def one_line(text: str) -> str:
    """Return `text` without any character that could end a header."""
    # None of those characters is printable, so most values need no closer look.
    if text.isprintable():
        return text.strip()
    return _CONTROLS.sub(" ", text).strip()


def encode_words(text: str) -> str:
    """Return `text` as RFC 2047 encoded words, folded, no character torn in two."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= _WORD_BYTES:
        return f"=?utf-8?b?{b2a_base64(raw, newline=False).decode()}?="
    words: list[bytes] = []
    start = 0
    while start < len(raw):
        end = min(start + _WORD_BYTES, len(raw))
        # Bytes 10xxxxxx go on with a character that began before them.
        while end < len(raw) and raw[end] & 0xC0 == 0x80:
            end -= 1
        words.append(b2a_base64(raw[start:end], newline=False))
        start = end
    return "\r\n ".join(f"=?utf-8?b?{word.decode()}?=" for word in words)


@lru_cache(maxsize=2048)
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
    if name.isascii() and len(name) <= 60 and "=?" not in name:
        if _PLAIN_PHRASE.fullmatch(name):
            return f"{name} <{address}>"
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{address}>'
    return f"{encode_words(name)}\r\n <{address}>"


def extra_header(name: str, value: str) -> str:
    """Return a whole header line of a message's own; raise MailError if it cannot be one."""
    if not _is_name(name):
        raise MailError("header", "A header has a name that cannot be.")
    value = one_line(value)
    if not value.isascii():
        value = header_text(value)
    elif len(value) > _LONGEST:
        raise MailError("header", f"The header {name} is too long.")
    return f"{name}: {value}\r\n"


@lru_cache(maxsize=256)
def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def file_type(content_type: str) -> str:
    """Return a content type that an attachment may bear; what is odd becomes plain bytes."""
    lowered = content_type.strip().lower()
    return lowered if len(lowered) < 100 and _FILE_TYPE.fullmatch(lowered) else "application/octet-stream"


def file_name(name: str) -> str:
    """Return the value of Content-Disposition for a file of that name (RFC 2231, folded when long)."""
    name = one_line(name.replace("\\", "/").rpartition("/")[2])[:200] or "file"
    if name.isascii() and len(name) <= 60 and '"' not in name and "%" not in name:
        return f'attachment; filename="{name}"'
    coded = quote(name.encode("utf-8", "replace"), safe="")
    if len(coded) <= 60:
        return f"attachment;\r\n filename*=utf-8''{coded}"
    pieces: list[str] = []
    while coded:
        end = 60
        # A %XX stays whole.
        while len(coded) > end and "%" in coded[end - 2 : end]:
            end -= 1
        pieces.append(coded[:end])
        coded = coded[end:]
    first = f"\r\n filename*0*=utf-8''{pieces[0]}"
    more = (f";\r\n filename*{number}*={piece}" for number, piece in enumerate(pieces[1:], 1))
    return f"attachment;{first}{''.join(more)}"
