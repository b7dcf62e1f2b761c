"""Encryption of personal data in the database, and keyed look-up hashes for it.

AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce. Stored form: one byte length of the key id,
the key id, the nonce, the ciphertext with its tag. Hashes are HMAC-SHA256 under a key derived from the
*oldest* field key, so that adding a key for rotation does not break look-ups.
"""

import base64
import binascii
import hashlib
import hmac
import os
from functools import lru_cache
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

HASH_BYTES = 16
_NONCE_BYTES = 12


class Undecryptable(Exception):
    """The stored bytes name a key that is not configured, or were altered."""


class Ring(NamedTuple):
    """The keys: ids, newest first; ciphers by stored id; what new values begin with; the hashing key.

    Whoever has many values to read and write takes it once (`current_ring`) and not for each of them.
    """

    order: list[str]
    ciphers: dict[bytes, AESGCM]
    head: bytes
    newest: AESGCM
    index_key: bytes

    def encrypt(self, text: str) -> bytes:
        """Return `text` encrypted under the newest key; equal texts give different bytes."""
        nonce = os.urandom(_NONCE_BYTES)
        return self.head + nonce + self.newest.encrypt(nonce, text.encode(), None)

    def decrypt(self, stored: bytes) -> str:
        """Return the text behind `stored`; raise Undecryptable if its key is gone or it was altered."""
        stored = bytes(stored)
        try:
            head = 1 + stored[0]
            body = head + _NONCE_BYTES
            return self.ciphers[stored[1:head]].decrypt(stored[head:body], stored[body:], None).decode()
        except (KeyError, IndexError, InvalidTag, ValueError) as error:
            raise Undecryptable("This value cannot be decrypted with the configured FIELD_KEYS.") from error


@lru_cache(maxsize=8)
def _parse(keys: tuple[str, ...]) -> Ring:
    ciphers: dict[bytes, AESGCM] = {}
    order: list[str] = []
    raw = b""
    for item in keys:
        name, _, encoded = item.partition(":")
        try:
            raw = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if not name or len(name) > 20 or len(raw) != 32:
            raise ImproperlyConfigured(
                "FIELD_KEYS must be a comma-separated list of id:base64, 32 bytes each, newest first."
            )
        order.append(name)
        ciphers[name.encode()] = AESGCM(raw)
    if not order:
        raise ImproperlyConfigured("FIELD_KEYS is empty.")
    index_key = hmac.new(raw, b"notifyhub blind index v1", hashlib.sha256).digest()
    newest = order[0].encode()
    return Ring(order, ciphers, bytes([len(newest)]) + newest, ciphers[newest], index_key)


def current_ring() -> Ring:
    """Return the keys as they are configured now."""
    return _parse(tuple(settings.FIELD_KEYS))


def current_key_id() -> str:
    """Return the id of the key that encrypts new values."""
    return current_ring().order[0]


def key_id_of(stored: bytes) -> str:
    """Return the id of the key that `stored` was encrypted with."""
    stored = bytes(stored)
    return stored[1 : 1 + stored[0]].decode()


def encrypt(text: str) -> bytes:
    """Return `text` encrypted under the newest key; equal texts give different bytes."""
    return current_ring().encrypt(text)


def decrypt(stored: bytes) -> str:
    """Return the text behind `stored`; raise Undecryptable if its key is gone or it was altered."""
    return current_ring().decrypt(stored)


def blind_index(value: str, *, purpose: str) -> bytes:
    """Return the keyed look-up hash (16 bytes) of an already normalised value.

    `purpose` separates the hashes of different facts: the whole phone number, its last seven digits.
    A keyed hash is needed since all 10^11 phone numbers are hashed in minutes without one.
    """
    return hmac.digest(current_ring().index_key, f"{purpose}\x00{value}".encode(), "sha256")[:HASH_BYTES]


def fingerprints() -> dict[str, str]:
    """Return {key id: fingerprint} of the configured keys, newest first; a fingerprint tells nothing about
    its key but whether two are the same."""
    found = {}
    for item in settings.FIELD_KEYS:
        name, _, encoded = item.partition(":")
        raw = base64.b64decode(encoded, validate=True)
        found[name] = hmac.new(raw, b"notifyhub key fingerprint v1", hashlib.sha256).hexdigest()[:16]
    return found
