"""Telling members of staff something behind their bell."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone, translation

from notifyhub.staff.models import StaffNotice, User

_INSERT = """
    INSERT INTO staff_staffnotice (recipient_id, level, title, body, url, dedup, created_at)
    SELECT unnest(%s::bigint[]), %s, %s, %s, %s, %s, statement_timestamp()
    ON CONFLICT (recipient_id, dedup) WHERE read_at IS NULL AND dedup <> '' DO NOTHING
"""


def notify(
    *,
    recipients: Iterable[User],
    title: Any,
    body: Any = "",
    level: str = "info",
    url: str = "",
    dedup: str = "",
) -> int:
    """Put a notice behind each recipient's bell, in their language; return how many were told.

    A notice with the `dedup` of one that the recipient has not read yet is not told again.
    """
    by_language: dict[str, set[int]] = defaultdict(set)
    for user in recipients:
        by_language[user.language].add(user.pk)
    told = 0
    for language, ids in by_language.items():
        # No language in the profile: whoever asks is the best guess there is.
        spoken = language or translation.get_language() or settings.LANGUAGE_CODE
        with translation.override(spoken), connection.cursor() as cursor:
            cursor.execute(_INSERT, [sorted(ids), level, str(title)[:200], str(body), url[:200], dedup[:120]])
            told += cursor.rowcount
    return told


def mark_read(*, user: User, notice_id: int | None = None) -> int:
    """Mark one of the user's notices as read, or all of them; return how many were unread."""
    unread = StaffNotice.objects.filter(recipient=user, read_at=None)
    if notice_id is not None:
        unread = unread.filter(pk=notice_id)
    return unread.update(read_at=timezone.now())
