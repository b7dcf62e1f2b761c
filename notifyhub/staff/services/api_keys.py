"""Making, finding, counting and revoking API keys."""

import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notifyhub.core.errors import Conflict, Refused
from notifyhub.staff.models import ApiKey, ApiUsage, Team, User
from notifyhub.staff.scopes import SCOPES
from notifyhub.staff.services import audit

_PREFIX = re.compile(r"[0-9a-f]{10}")
KEEP_USAGE = timedelta(days=7)

_COUNT = """
    INSERT INTO staff_apiusage AS usage (key_id, minute, count)
    VALUES (%s, date_trunc('minute', statement_timestamp()), 1)
    ON CONFLICT (key_id, minute) DO UPDATE SET count = usage.count + 1
    RETURNING count, 60 - extract(second FROM statement_timestamp())::int
"""


def _hash(secret: str) -> bytes:
    # A fast hash is enough: the secret has 256 random bits, so there is nothing to guess.
    return hashlib.sha256(secret.encode()).digest()


def _check_scopes(scopes: list[str]) -> list[str]:
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise Refused(
            _("Choose from these scopes: %(scopes)s.") % {"scopes": ", ".join(SCOPES)}, field="scopes"
        )
    return sorted(set(scopes))


@transaction.atomic
def create_api_key(
    *,
    name: str,
    scopes: list[str],
    owner: User | None = None,
    owner_team: Team | None = None,
    expires_at: datetime | None = None,
    per_minute: int = 600,
) -> tuple[ApiKey, str]:
    """Create a key; return it with its token, which is shown once and stored nowhere."""
    prefix = secrets.token_hex(5)
    secret = secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        name=name,
        prefix=prefix,
        secret_hash=_hash(secret),
        scopes=_check_scopes(scopes),
        owner=owner,
        owner_team=owner_team,
        expires_at=expires_at,
        per_minute=per_minute,
    )
    audit.record(verb="create_api_key", obj=key, scopes=key.scopes)
    return key, f"nh_{prefix}.{secret}"


@transaction.atomic
def update_api_key(*, key_id: int, changes: dict[str, Any], version: int | None = None) -> None:
    """Change name, scopes, owner, limit or expiry; raise Conflict if `version` is stale."""
    if "scopes" in changes:
        changes = {**changes, "scopes": _check_scopes(list(changes["scopes"]))}
    rows = ApiKey.objects.filter(pk=key_id)
    if version is not None:
        rows = rows.filter(version=version)
    if not rows.update(**changes, version=F("version") + 1):
        current = ApiKey.objects.get(pk=key_id).version
        raise Conflict(_("Somebody changed this key meanwhile. Look at it again."), current=current)
    audit.record(verb="update_api_key", obj=ApiKey.objects.get(pk=key_id), fields=sorted(changes))


@transaction.atomic
def revoke_api_key(*, key_id: int, reason: str = "") -> None:
    """End a key for good, from the next request on; raise Refused if that was done before."""
    rows = ApiKey.objects.filter(pk=key_id, revoked_at=None)
    if not rows.update(revoked_at=timezone.now(), version=F("version") + 1):
        raise Refused(_("This key is revoked already."))
    audit.record(verb="revoke_api_key", obj=ApiKey.objects.get(pk=key_id), reason=reason)


def find_api_key(*, token: str) -> ApiKey | None:
    """Return the usable key behind `token`, or None if it is unknown, revoked or expired."""
    prefix, _dot, secret = token.removeprefix("nh_").partition(".")
    if not _PREFIX.fullmatch(prefix):
        return None
    key = ApiKey.objects.filter(prefix=prefix, revoked_at=None).first()
    if key is None or not hmac.compare_digest(bytes(key.secret_hash), _hash(secret)):
        return None
    if key.expires_at and key.expires_at <= timezone.now():
        return None
    return key


def touch_api_key(*, key: ApiKey) -> None:
    """Note that the key is in use, at most once a minute."""
    minute_ago = timezone.now() - timedelta(minutes=1)
    if key.last_used_at is None or key.last_used_at < minute_ago:
        stale = Q(last_used_at=None) | Q(last_used_at__lt=minute_ago)
        ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=Now())


def count_request(*, key: ApiKey) -> tuple[int, int]:
    """Count one request of the key; return its requests in this minute and the seconds left of it."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [key.pk])
        count, left = cursor.fetchone()
    return count, max(1, left)


def forget_usage() -> int:
    """Delete counts older than a week; return how many."""
    return ApiUsage.objects.filter(minute__lt=timezone.now() - KEEP_USAGE).delete()[0]
