"""Signed tokens for public links, one salt per purpose."""

import hashlib
import json
import time
from binascii import b2a_base64
from collections.abc import Callable
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
        return _to_base64(outer.digest())

    def sign(self, value: str) -> str:
        value = f"{value}:{_stamp(int(time.time()))}"
        return f"{value}:{self.signature(value)}"


@lru_cache(maxsize=4)
def _stamp(second: int) -> str:
    return signing.b62_encode(second)


# Made once: json.dumps, and even an encoder of Python's own, makes this for every call.
_pieces: Any = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
    None, json.JSONEncoder().default, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, True
)
# Below this nothing gets shorter by compressing it.
_SHORT = 32
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def _to_base64(data: bytes) -> str:
    """Return what `signing.b64_encode` makes of `data`."""
    return b2a_base64(data, newline=False).translate(_URL_SAFE).rstrip(b"=").decode()


@lru_cache(maxsize=32)
def _signer(purpose: str, key: str) -> _Signer:
    return _Signer(key=key, salt=f"notifyhub.{purpose}")


def make_token(value: Any, *, purpose: str) -> str:
    """Return a URL-safe signed token that carries `value` (a JSON value without personal data)."""
    return token_maker(purpose)(value)


def token_maker(purpose: str) -> Callable[[Any], str]:
    """Return what makes many tokens of one purpose, as `make_token` does, under the key of this moment."""
    signer = _signer(purpose, settings.SECRET_KEY)

    def make(value: Any) -> str:
        data = "".join(_pieces(value, 0)).encode("ascii")
        if len(data) > _SHORT:
            return signer.sign_object(value, compress=True)
        return signer.sign(_to_base64(data))

    return make


def read_token(token: str, *, purpose: str, max_age: int | None = None) -> Any:
    """Return what `make_token` put in, or None if the token is forged, of another purpose or too old."""
    try:
        return signing.loads(token, salt=f"notifyhub.{purpose}", max_age=max_age)
    except signing.BadSignature:
        return None
