"""One answer per Idempotency-Key: claimed before the work, stored with it in one transaction."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from notifyhub.staff.models import ApiKey, IdempotentRequest

KEEP = timedelta(days=7)
# A first attempt that has not answered for this long is taken to have died.
GIVE_UP = timedelta(minutes=1)

_CLAIM = """
    INSERT INTO staff_idempotentrequest AS request (key_id, token, request_hash, created_at)
    VALUES (%(key)s, %(token)s, %(hash)s, clock_timestamp())
    ON CONFLICT (key_id, token) DO UPDATE SET created_at = clock_timestamp()
    WHERE request.status IS NULL AND request.request_hash = %(hash)s
      AND request.created_at < clock_timestamp() - %(give_up)s
    RETURNING id, created_at
"""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to do the work of one Idempotency-Key, until somebody takes it over."""

    id: int
    at: datetime


class ClaimLost(Exception):
    """The work took so long that another attempt took it over; this one must leave no trace."""


def claim(*, key: ApiKey, token: str, request_hash: bytes) -> Claim | IdempotentRequest:
    """Return the claim to do the work, or the request that came before with the same key."""
    values: dict[str, Any] = {"key": key.pk, "token": token, "hash": request_hash, "give_up": GIVE_UP}
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, values)
        row = cursor.fetchone()
    if row:
        return Claim(id=row[0], at=row[1])
    return IdempotentRequest.objects.get(key=key, token=token)


def store_answer(*, claim: Claim, status: int, body: Any) -> None:
    """Keep the answer; raise ClaimLost if the claim is no longer ours."""
    mine = IdempotentRequest.objects.filter(pk=claim.id, created_at=claim.at, status=None)
    if not mine.update(status=status, body=body):
        raise ClaimLost


def release(*, claim: Claim) -> None:
    """Give the claim back after a failure that left no trace, so that the next attempt may work at once."""
    IdempotentRequest.objects.filter(pk=claim.id, created_at=claim.at, status=None).delete()


def forget_answers() -> int:
    """Delete answers older than a week; return how many."""
    return IdempotentRequest.objects.filter(created_at__lt=timezone.now() - KEEP).delete()[0]
