"""Names of messages short enough for an SMS: 16 characters, signed, with no row per recipient or link.

A token holds the dispatch (32 bits), the place of the message in it (26 bits) and 32 bits of a keyed hash,
as 15 characters of URL-safe base64, behind one character for the number of the link. The number is not
signed: whoever changes it arrives at another address of the same text, and at none that is not stored.
"""

from base64 import urlsafe_b64decode
from binascii import b2a_base64
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from django.conf import settings

from notifyhub.messaging.models.dispatch import ID_BLOCK

LENGTH = 16
MOST_PLACES = 1 << 26
MOST_LINKS = 64
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@dataclass(frozen=True, slots=True)
class Named:
    """What a token names: the `place`-th message of a dispatch, and a link of its text."""

    dispatch_id: int
    place: int
    link: int


@lru_cache(maxsize=8)
def _keyed(secret: str) -> Any:
    key = blake2b(secret.encode(), digest_size=32, person=b"nh.short").digest()
    return blake2b(digest_size=4, key=key)


def _mac(numbers: bytes, secret: str) -> bytes:
    mac = _keyed(secret).copy()
    mac.update(numbers)
    return bytes(mac.digest())


def place_of(*, blocks: Sequence[int], delivery_id: int) -> int | None:
    """Return the place of a message in its dispatch, or None if it has none that fits a token."""
    index = bisect_right(blocks, delivery_id) - 1
    if index < 0 or delivery_id - blocks[index] >= ID_BLOCK:
        return None
    place = index * ID_BLOCK + delivery_id - blocks[index]
    return place if place < MOST_PLACES else None


def delivery_at(*, blocks: Sequence[int], place: int) -> int | None:
    """Return the id of the message at a place of its dispatch, or None if it has no such block."""
    index, offset = divmod(place, ID_BLOCK)
    return blocks[index] + offset if index < len(blocks) else None


def make_stem(*, dispatch_id: int, place: int) -> str:
    """Return the 15 characters that all tokens of one message end in."""
    return _stem(dispatch_id << 26 | place, _keyed(settings.SECRET_KEY))


def _stem(numbers: int, keyed: Any) -> str:
    eight = numbers.to_bytes(8, "big")
    mac = keyed.copy()
    mac.update(eight)
    return b2a_base64(eight + mac.digest(), newline=False).translate(_URL_SAFE)[1:].decode()


def make_short(*, stem: str, link: int = 0) -> str:
    """Return the token of a message's link, 16 characters."""
    return link_digit(link) + stem


def link_digit(link: int) -> str:
    """Return what the token of that link begins with, before the stem of the message."""
    return _DIGITS[link]


class Stems:
    """The stems of one dispatch's messages, under the key of this moment."""

    def __init__(self, *, dispatch_id: int, blocks: Sequence[int]) -> None:
        self._base = dispatch_id << 26
        self._blocks = blocks
        self._keyed = _keyed(settings.SECRET_KEY)

    def of(self, delivery_id: int) -> str | None:
        """Return the stem of a message, or None if it is beyond the places that a token can name."""
        place = place_of(blocks=self._blocks, delivery_id=delivery_id)
        return None if place is None else _stem(self._base | place, self._keyed)


def read_short(token: str) -> Named | None:
    """Return what a token names, or None if it is forged or none.

    Tokens outlive a change of SECRET_KEY for as long as the old one stands in SECRET_KEY_FALLBACKS.
    """
    link = _DIGITS.find(token[:1]) if token else -1
    if len(token) != LENGTH or link < 0 or any(one not in _DIGITS for one in token):
        return None
    whole = int.from_bytes(urlsafe_b64decode("A" + token[1:]), "big")
    numbers = (whole >> 32).to_bytes(8, "big")
    mac = (whole & 0xFFFFFFFF).to_bytes(4, "big")
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    if not any(_mac(numbers, secret) == mac for secret in secrets):
        return None
    return Named(whole >> 58, whole >> 32 & MOST_PLACES - 1, link)
