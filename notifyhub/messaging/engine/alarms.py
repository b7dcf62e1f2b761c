"""Telling people what the engine cannot put right by itself."""

from typing import Any

from django.db.models import Q
from django.utils import timezone

from notifyhub.staff import roles
from notifyhub.staff.models import StaffNotice, User
from notifyhub.staff.services.notices import notify


def tell_operations(
    *,
    title: Any,
    body: Any = "",
    level: str = "info",
    dedup: str,
    url: str = "",
    owner_id: int | None = None,
) -> int:
    """Put a notice behind the bell of operations, and of `owner_id`; return how many were told.

    Whoever has one of the same `dedup` unread is not told again.
    """
    wanted = Q(is_superuser=True) | Q(groups__role__code__in=[roles.OPERATIONS])
    if owner_id is not None:
        wanted |= Q(pk=owner_id)
    return notify(
        recipients=User.objects.filter(wanted, is_active=True).distinct(),
        title=title,
        body=body,
        level=level,
        dedup=dedup,
        url=url,
    )


def withdraw_notice(*, dedup: str) -> int:
    """Count unread notices of `dedup` as read, since they are no longer true; return how many there were."""
    return StaffNotice.objects.filter(dedup=dedup, read_at=None).update(read_at=timezone.now())
