"""Signing mail: DKIM (RFC 6376) with RSA or Ed25519 (RFC 8463), relaxed/relaxed.

The signature covers the body as it is before dots are stuffed. From is named once more than it is there, so
that nobody can add a second one.
"""

import base64
import re
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.utils.translation import gettext_lazy as _

from notifyhub.core.errors import Refused

SIGNED = (
    *("from", "reply-to", "to", "subject", "date", "message-id", "mime-version", "content-type"),
    *("list-unsubscribe", "list-unsubscribe-post"),
)
# RFC 8301 3.2: receivers do not look at shorter ones.
SHORTEST_RSA = 1024
_PEM = re.compile(r"\s*(-----BEGIN [A-Z0-9 ]+-----)([A-Za-z0-9+/=\s]+)(-----END [A-Z0-9 ]+-----)\s*")
_DOMAIN = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
_HEADER = re.compile(rb"([!-9;-~]+):([^\r]*(?:\r\n[ \t][^\r]*)*)\r\n")
_BLANKS = re.compile(rb"(?:\r\n)?[ \t]+")


class Signer:
    """One key of one domain."""

    def __init__(self, *, domain: str, selector: str, key: RSAPrivateKey | Ed25519PrivateKey) -> None:
        self._key = key
        algorithm = "rsa" if isinstance(key, RSAPrivateKey) else "ed25519"
        self._tags = f"v=1; a={algorithm}-sha256; c=relaxed/relaxed; d={domain}; s={selector};"

    def sign(self, head: bytes, body: bytes, *, now: int | None = None) -> bytes:
        """Return the DKIM-Signature header of a mail with these headers and this body."""
        named: list[str] = []
        lines: list[bytes] = []
        for name, value in _HEADER.findall(head):
            lowered = name.lower().decode()
            if lowered in SIGNED:
                named.append(lowered)
                lines.append(relaxed_header(name, value))
        # RFC 6376 5.4.2: of several the last comes first; a mail of ours has one of each.
        named.append("from")
        hashed = base64.b64encode(sha256(relaxed_body(body)).digest()).decode()
        tags = (
            f"{self._tags}\r\n t={int(time.time()) if now is None else now};"
            f"\r\n h={_fold(':'.join(named), ':')};\r\n bh={hashed};\r\n b="
        ).encode()
        lines.append(relaxed_header(b"DKIM-Signature", tags).removesuffix(b"\r\n"))
        data = b"".join(lines)
        if isinstance(self._key, RSAPrivateKey):
            signature = self._key.sign(data, PKCS1v15(), SHA256())
        else:
            signature = self._key.sign(sha256(data).digest())
        coded = base64.b64encode(signature).decode()
        pieces = (coded[place : place + 72] for place in range(0, len(coded), 72))
        return b"DKIM-Signature: " + tags + "\r\n ".join(pieces).encode() + b"\r\n"


def signer_of(settings: Mapping[str, Any]) -> Signer | None:
    """Return the signer of an account's settings, or None if it does not sign; raise Refused (field=…)."""
    domain = str(settings.get("dkim_domain") or "").strip()
    selector = str(settings.get("dkim_selector") or "").strip()
    if not domain and not selector:
        return None
    for field, value in (("dkim_domain", domain), ("dkim_selector", selector)):
        if not _DOMAIN.fullmatch(value):
            raise Refused(
                _("To sign mails, give the domain and the selector as they stand in the DNS record."),
                field=field,
            )
    return Signer(domain=domain, selector=selector, key=read_key(str(settings.get("dkim_key") or "")))


def read_key(pem: str) -> RSAPrivateKey | Ed25519PrivateKey:
    """Return the private key in `pem`, whose line breaks may have been lost; raise Refused."""
    found = _PEM.fullmatch(pem)
    if found is None:
        raise Refused(
            _("Paste the whole private key, from its BEGIN line to its END line, without a password."),
            field="dkim_key",
        )
    begin, middle, end = found.groups()
    try:
        key = load_pem_private_key(f"{begin}\n{_wrapped(middle)}\n{end}\n".encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Refused(
            _("This is not a private key, or it is locked with a password."), field="dkim_key"
        ) from error
    if isinstance(key, RSAPrivateKey) and key.key_size < SHORTEST_RSA:
        raise Refused(_("This RSA key is too short. Take one of 2048 bits."), field="dkim_key")
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise Refused(_("Mails are signed with an RSA or an Ed25519 key."), field="dkim_key")
    return key


def relaxed_body(body: bytes) -> bytes:
    """Return the body as it is hashed (RFC 6376 3.4.4)."""
    # Whole replacements, each one pass in C, are ten times as fast here as a regular expression.
    body = body.replace(b"\t", b" ")
    while b"  " in body:
        body = body.replace(b"  ", b" ")
    body = body.replace(b" \r\n", b"\r\n").removesuffix(b" ").rstrip(b"\r\n")
    return body + b"\r\n" if body else b""


def relaxed_header(name: bytes, value: bytes) -> bytes:
    """Return a header as it is signed (RFC 6376 3.4.2)."""
    return b"%b:%b\r\n" % (name.lower(), _BLANKS.sub(b" ", value).strip(b" "))


def _wrapped(text: str) -> str:
    packed = "".join(text.split())
    return "\n".join(packed[place : place + 64] for place in range(0, len(packed), 64))


def _fold(text: str, mark: str) -> str:
    """Return a list in two lines, so that none is longer than a line should be."""
    parts = text.split(mark)
    half = (len(parts) + 1) // 2
    return f"{mark.join(parts[:half])}{mark}\r\n {mark.join(parts[half:])}" if len(parts) > 3 else text
