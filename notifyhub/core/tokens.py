"""Signed tokens for public links, one salt per purpose."""

from typing import Any

from django.core import signing


def make_token(value: Any, *, purpose: str) -> str:
    """Return a URL-safe signed token that carries `value` (a JSON value without personal data)."""
    return signing.dumps(value, salt=f"notifyhub.{purpose}", compress=True)


def read_token(token: str, *, purpose: str, max_age: int | None = None) -> Any:
    """Return what `make_token` put in, or None if the token is forged, of another purpose or too old."""
    try:
        return signing.loads(token, salt=f"notifyhub.{purpose}", max_age=max_age)
    except signing.BadSignature:
        return None
