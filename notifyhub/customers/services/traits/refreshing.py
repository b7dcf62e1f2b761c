"""Computing portraits again: who has news within a minute, everybody once a day, a block of ids at a time.

One refresh at a time (the row of the thresholds is locked), so that an older look never overwrites a newer.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from notifyhub.customers.models import CustomerTrait, TraitBlock, TraitSettings
from notifyhub.customers.services.events.following import Span, follow_events
from notifyhub.customers.services.traits import sql
from notifyhub.customers.services.zones import known_zones

READER = "traits"
# So many customers are computed by one statement.
BLOCK = 20_000
# Events are read in portions of this size, and so many portions by one run of the tick.
NEWS, PORTIONS = 20_000, 10
DAILY = timedelta(hours=24)
# A run of the daily tick works so long and then leaves the database to others until the next one.
WORK_SECONDS = 15.0


def read_settings() -> TraitSettings:
    """Return the thresholds; those of a new house until somebody has changed them."""
    return TraitSettings.objects.filter(pk=1).first() or TraitSettings(pk=1)


def lock_settings() -> TraitSettings:
    """Return the thresholds, locked until the transaction ends; the row is made the first time."""
    TraitSettings.objects.get_or_create(pk=1)
    return TraitSettings.objects.select_for_update().get(pk=1)


def refresh_customers(*, ids: Sequence[int], span: Span | None = None) -> int:
    """Compute the portraits of these customers; return how many there are.

    `span` are the events because of which they are computed; what a customer did last is taken from it.
    """
    if not ids:
        return 0
    params = {"ids": list(ids), "always": True}
    return _refresh(sql.FORGET_LIST, sql.REFRESH_LIST, params, span)


def refresh_range(*, lo: int, hi: int) -> int:
    """Compute the portraits of the customers `lo < id <= hi`; return how many of them changed."""
    return _refresh(sql.FORGET_RANGE, sql.REFRESH_RANGE, {"lo": lo, "hi": hi, "always": False}, None)


@transaction.atomic
def _refresh(forget: str, refresh: str, params: dict[str, Any], span: Span | None) -> int:
    thresholds = lock_settings()
    since = timezone.now() - timedelta(days=thresholds.reaction_days)
    with connection.cursor() as cursor:
        cursor.execute(forget, params)
        cursor.execute(
            refresh,
            {
                **params,
                "after": span.after if span else None,
                "upto": span.upto if span else None,
                "home": settings.TIME_ZONE,
                "zones": list(known_zones()),
                "done": list(sql.DONE_BY_CUSTOMER),
                "not_counted": [str(state) for state in sql.NOT_COUNTED],
                "reactions_since": since,
            },
        )
        return int(cursor.rowcount)


def forget_portraits(*, ids: Sequence[int]) -> int:
    """Drop these portraits, so that the next time they are made from what is there; return how many."""
    return CustomerTrait.objects.filter(customer_id__in=ids).delete()[0]


def renew_portraits(*, ids: Sequence[int]) -> int:
    """Make these portraits anew from what is there, as after a merge; return how many there are."""
    forget_portraits(ids=ids)
    return refresh_customers(ids=ids)


def follow_news() -> int:
    """Compute the portraits of the customers of whom something new was told; return how many."""
    done = 0

    def handle(span: Span) -> None:
        nonlocal done
        with connection.cursor() as cursor:
            cursor.execute(sql.NEWS, {"after": span.after, "upto": span.upto})
            ids = cursor.fetchone()[0] or []
        for start in range(0, len(ids), BLOCK):
            done += refresh_customers(ids=ids[start : start + BLOCK], span=span)

    for _portion in range(PORTIONS):
        if not follow_events(READER, handle, rows=NEWS):
            break
    return done


def refresh_due_blocks(*, seconds: float = WORK_SECONDS, older_than: timedelta = DAILY) -> int:
    """Compute the blocks that were not for a day, the oldest first; return how many portraits changed.

    Stops after `seconds` and goes on with the next run, which is what bounds its load.
    """
    began, changed = time.monotonic(), _cover_everybody()
    while time.monotonic() - began < seconds:
        done = _refresh_one(timezone.now() - older_than)
        if done is None:
            break
        changed += done
    return changed


def _cover_everybody() -> int:
    """Make the blocks of new ids, and compute customers who came since their block was; return how many."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM customers_customer")
        highest = cursor.fetchone()[0]
    if highest is None:
        return 0
    last = TraitBlock.objects.order_by("-number").first()
    reached = last.upto if last else 0
    if highest <= reached:
        return 0
    first = last.number if last else 0
    numbers = range(first + (last is not None), (highest - 1) // BLOCK + 1)
    changed = 0
    with transaction.atomic():
        if last is not None:
            hi = min((last.number + 1) * BLOCK, highest)
            changed = refresh_range(lo=reached, hi=hi) if last.refreshed_at and hi > reached else 0
            TraitBlock.objects.filter(pk=last.pk).update(upto=hi)
        TraitBlock.objects.bulk_create(
            [TraitBlock(number=number, upto=min((number + 1) * BLOCK, highest)) for number in numbers],
            ignore_conflicts=True,
        )
    return changed


@transaction.atomic
def _refresh_one(edge: datetime) -> int | None:
    rows = TraitBlock.objects.select_for_update(skip_locked=True)
    due = rows.filter(Q(refreshed_at=None) | Q(refreshed_at__lt=edge))
    block = due.order_by(F("refreshed_at").asc(nulls_first=True), "number").first()
    if block is None:
        return None
    # The clock's time and not the end of the work: whatever came while it ran may not be in it.
    at = timezone.now()
    changed = refresh_range(lo=block.number * BLOCK, hi=(block.number + 1) * BLOCK)
    TraitBlock.objects.filter(pk=block.pk).update(refreshed_at=at)
    return changed


def block_of(customer_id: int) -> int:
    """Return the number of the block a customer belongs to."""
    return (customer_id - 1) // BLOCK
