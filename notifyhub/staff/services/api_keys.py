"""Making, finding and revoking API keys."""

import hashlib
import hmac
import secrets
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from notifyhub.staff.models import ApiKey, Team, User
from notifyhub.staff.services import audit


def _hash(secret: str) -> bytes:
    # A fast hash is enough: the secret has 256 random bits, so there is nothing to guess.
    return hashlib.sha256(secret.encode()).digest()


@transaction.atomic
def create_api_key(
    *,
    name: str,
    scopes: list[str],
    owner: User | None = None,
    owner_team: Team | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Create a key; return it with its token, which is shown once and stored nowhere."""
    prefix = secrets.token_hex(5)
    secret = secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        name=name,
        prefix=prefix,
        secret_hash=_hash(secret),
        scopes=sorted(set(scopes)),
        owner=owner,
        owner_team=owner_team,
        expires_at=expires_at,
    )
    audit.record(verb="create_api_key", obj=key, scopes=key.scopes)
    return key, f"nh_{prefix}.{secret}"


def find_api_key(*, token: str) -> ApiKey | None:
    """Return the usable key behind `token`, or None if it is unknown, revoked or expired."""
    prefix, _, secret = token.removeprefix("nh_").partition(".")
    key = ApiKey.objects.filter(prefix=prefix, revoked_at=None).first()
    if key is None or not hmac.compare_digest(bytes(key.secret_hash), _hash(secret)):
        return None
    if key.expires_at and key.expires_at <= timezone.now():
        return None
    return key
