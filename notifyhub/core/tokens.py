"""Signed tokens for public links, one salt per purpose."""

import hashlib
import json
import time
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core import signing


class _Signer(signing.TimestampSigner):
    """Django's own signatures; the key is derived once, not for each of a million links."""

    def __init__(self, *, key: str, salt: str) -> None:
        super().__init__(key=key, salt=salt)
        # HMAC (RFC 2104) under the key that `salted_hmac` derives, with both pads hashed already.
        derived = hashlib.sha256(f"{salt}signer{key}".encode()).digest().ljust(64, b"\0")
        self._inner = hashlib.sha256(bytes(one ^ 0x36 for one in derived))
        self._outer = hashlib.sha256(bytes(one ^ 0x5C for one in derived))

    def signature(self, value: str | bytes, key: str | bytes | None = None) -> str:
        if key is not None and key != self.key:
            return super().signature(value, key=key)
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(value.encode() if isinstance(value, str) else value)
        outer.update(inner.digest())
        return signing.b64_encode(outer.digest()).decode()

    def sign(self, value: str) -> str:
        value = f"{value}:{_stamp(int(time.time()))}"
        return f"{value}:{self.signature(value)}"


@lru_cache(maxsize=4)
def _stamp(second: int) -> str:
    return signing.b62_encode(second)


# Made once: json.dumps makes an encoder for every call with these options.
_to_json = json.JSONEncoder(separators=(",", ":")).encode
# Below this nothing gets shorter by compressing it.
_SHORT = 32


@lru_cache(maxsize=32)
def _signer(purpose: str, key: str) -> _Signer:
    return _Signer(key=key, salt=f"notifyhub.{purpose}")


def make_token(value: Any, *, purpose: str) -> str:
    """Return a URL-safe signed token that carries `value` (a JSON value without personal data)."""
    signer = _signer(purpose, settings.SECRET_KEY)
    data = _to_json(value).encode("ascii")
    if len(data) > _SHORT:
        return signer.sign_object(value, compress=True)
    return signer.sign(signing.b64_encode(data).decode())


def read_token(token: str, *, purpose: str, max_age: int | None = None) -> Any:
    """Return what `make_token` put in, or None if the token is forged, of another purpose or too old."""
    try:
        return signing.loads(token, salt=f"notifyhub.{purpose}", max_age=max_age)
    except signing.BadSignature:
        return None
