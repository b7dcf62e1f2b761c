"""Encrypting contact points again under the newest key."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Min

from notifyhub.core import crypto
from notifyhub.customers.models import ContactPoint
from notifyhub.staff.services import audit

SLICE = 2000


@dataclass
class Rotated:
    """How many values were encrypted again, and how many could not be read with the keys we have."""

    done: int = 0
    unreadable: int = 0


def count_old() -> int:
    """Return how many contact points are under another key than the newest."""
    return ContactPoint.objects.exclude(key_id=crypto.current_key_id()).count()


def rotate_contact_points(*, progress: Callable[[Rotated], None] | None = None) -> Rotated:
    """Encrypt every contact point under the newest key, in slices that each commit; return the counts.

    Stopped at any moment it goes on when called again: each value names its key. Look-up hashes do not
    change, they hang on the oldest key.
    """
    current = crypto.current_key_id()
    rotated = Rotated()
    for key_id in _old_keys(current):
        last = 0
        while rows := _slice(key_id, last):
            last = rows[-1][0]
            _rotate(rows, current, rotated)
            if progress is not None:
                progress(rotated)
    if rotated.done or rotated.unreadable:
        audit.record(
            verb="rotate_field_keys",
            object_type="customers.contactpoint",
            key=current,
            done=rotated.done,
            unreadable=rotated.unreadable,
        )
    return rotated


def _old_keys(current: str) -> list[str]:
    """Return the key ids in use other than `current`, by jumps along their index."""
    found: list[str] = []
    key_id = ContactPoint.objects.aggregate(first=Min("key_id"))["first"]
    while key_id is not None:
        if key_id != current:
            found.append(key_id)
        key_id = ContactPoint.objects.filter(key_id__gt=key_id).aggregate(first=Min("key_id"))["first"]
    return found


def _slice(key_id: str, last: int) -> list[tuple[int, bytes]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, value FROM customers_contactpoint WHERE key_id = %s AND id > %s ORDER BY id LIMIT %s",
            [key_id, last, SLICE],
        )
        return [(number, bytes(value)) for number, value in cursor.fetchall()]


def _rotate(rows: list[tuple[int, bytes]], current: str, rotated: Rotated) -> None:
    ids, before, after = [], [], []
    for number, value in rows:
        try:
            fresh = crypto.encrypt(crypto.decrypt(value))
        except crypto.Undecryptable:
            rotated.unreadable += 1
            continue
        ids.append(number)
        before.append(value)
        after.append(fresh)
    with transaction.atomic(), connection.cursor() as cursor:
        # The old value is compared too: what somebody wrote meanwhile stays.
        cursor.execute(
            "UPDATE customers_contactpoint p SET value = u.fresh, key_id = %s "
            "FROM unnest(%s::bigint[], %s::bytea[], %s::bytea[]) AS u (id, old, fresh) "
            "WHERE p.id = u.id AND p.value = u.old",
            [current, ids, before, after],
        )
        rotated.done += cursor.rowcount
