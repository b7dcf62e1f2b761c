"""Signatures of Standard Webhooks: HMAC-SHA256 over id, time and body (https://www.standardwebhooks.com)."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime

PREFIX = "whsec_"
TOLERANCE_SECONDS = 300


def keys_of(secret: str) -> list[bytes]:
    """Return the keys of a secret: `whsec_` and base64, or any other text as it is.

    Several `whsec_…` stand side by side, parted by blanks, while one is replaced.
    """
    words = secret.split()
    if not all(word.startswith(PREFIX) for word in words):
        # A blank in a sentence must not make keys of its words.
        return [secret.encode()]
    return [_key(word) for word in words]


def _key(word: str) -> bytes:
    try:
        return base64.b64decode(word.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        return word.encode()


def signature(key: bytes, *, name: str, timestamp: str, body: bytes) -> str:
    """Return one entry of the signature header."""
    digest = hmac.new(key, b".".join((name.encode(), timestamp.encode(), body)), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def sign(secret: str, *, name: str, now: datetime, body: bytes) -> dict[str, str]:
    """Return the three headers; with several keys the request bears a signature of each."""
    timestamp = str(int(now.timestamp()))
    entries = [signature(key, name=name, timestamp=timestamp, body=body) for key in keys_of(secret)]
    return {
        "webhook-id": name,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(entries),
    }


def is_signed(secret: str, headers: Mapping[str, str], body: bytes, *, now: datetime) -> bool:
    """Say whether one of the signatures is by one of the keys, and fresh. Takes equally long for any."""
    name, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "").split()
    if not name or not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    return _matches(keys_of(secret), given[:10], name=name, timestamp=timestamp, body=body)


def _matches(keys: Sequence[bytes], given: Sequence[str], *, name: str, timestamp: str, body: bytes) -> bool:
    right = False
    for key in keys:
        wanted = signature(key, name=name, timestamp=timestamp, body=body).encode()
        for one in given:
            right |= hmac.compare_digest(wanted, one.encode())
    return right
