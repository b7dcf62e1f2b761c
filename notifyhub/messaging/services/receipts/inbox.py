"""Receipts as they come in: stored first, matched with their messages then, parked if there is none yet."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from notifyhub.core.logs import mask
from notifyhub.messaging.channels.base import Report
from notifyhub.messaging.engine import bells
from notifyhub.messaging.models import Delivery, DeliveryEvent, Dispatch, InboundReceipt
from notifyhub.messaging.services.receipts.merging import REPORTED, Receipt, record_receipts

# A receipt may outrun our own commit by a moment, and a restored database by days.
PARKED_FOR = timedelta(days=7)
# Providers' clocks differ, and what is older than this has left the ledger's hot months.
AHEAD, BEHIND = timedelta(minutes=5), timedelta(days=40)
AT_ONCE = 500

_PLAIN = re.compile(r"(\d{1,18})-(\d{1,18})")
_KEY = re.compile(r"([0-9a-f]{32})\.(\d{1,18})")

Key = tuple[int, int]


@transaction.atomic
def store_reports(*, account_id: int, reports: Sequence[Report]) -> int:
    """Store what a provider reported and have it matched; return how many were stored.

    A repeated event is stored once. Kinds that mean nothing to us are left out.
    """
    now = timezone.now()
    rows = [
        InboundReceipt(
            account_id=account_id,
            event_id=_flat(one.event_id, 120),
            kind=one.kind,
            reference=_flat(one.reference, 60) if len(one.reference) <= 60 else "",
            provider_ref=_flat(one.provider_ref, 120),
            at=_plausible(one.at, now),
            code=_flat(one.code, 40),
            detail=mask(_flat(one.detail, 300)),
        )
        for one in reports
        if one.kind in REPORTED and one.event_id
    ]
    InboundReceipt.objects.bulk_create(rows, ignore_conflicts=True)
    if rows:
        bells.ring_matcher()
    return len(rows)


def match_receipts() -> int:
    """Merge the parked receipts whose messages are known now; return how many were matched."""
    matched, last = 0, 0
    while True:
        found, last = _match_some(after=last)
        matched += found
        if not last:
            return matched


def drop_old_receipts() -> int:
    """Delete receipts past their time, matched or not; return how many."""
    gone, _by_model = InboundReceipt.objects.filter(received_at__lt=timezone.now() - PARKED_FOR).delete()
    return gone


@transaction.atomic
def _match_some(*, after: int) -> tuple[int, int]:
    """Match the next few; return how many were, and where to go on (0 at the end)."""
    parked = InboundReceipt.objects.filter(matched_at=None, pk__gt=after).order_by("pk")
    rows = list(parked.select_for_update(skip_locked=True)[:AT_ONCE])
    if not rows:
        return 0, 0
    known = _messages_of(rows)
    fitting = [row for row in rows if row.pk in known]
    record_receipts(
        [
            Receipt(
                dispatch_id=known[row.pk][0],
                delivery_id=known[row.pk][1],
                kind=row.kind,
                at=row.at,
                account_id=row.account_id,
                provider_ref=row.provider_ref,
                code=row.code,
                detail=row.detail,
            )
            for row in fitting
        ]
    )
    InboundReceipt.objects.filter(pk__in=[row.pk for row in fitting]).update(matched_at=timezone.now())
    return len(fitting), rows[-1].pk


def _messages_of(rows: Sequence[InboundReceipt]) -> dict[int, Key]:
    """Return {receipt: (dispatch, message)} of those whose message there is.

    A key cannot be guessed, so who knows it may speak; by the plain number of a message or by its own name
    for it, a provider may only speak about what went through it.
    """
    found = _by_key(rows)
    plain = _by_number([row for row in rows if row.pk not in found])
    found |= plain | _by_provider_ref([row for row in rows if row.pk not in found and row.pk not in plain])
    there = _existing(found.values())
    return {pk: key for pk, key in found.items() if key in there}


def _by_key(rows: Iterable[InboundReceipt]) -> dict[int, Key]:
    keyed = {
        row.pk: (UUID(match[1]), int(match[2]))
        for row in rows
        if (match := _KEY.fullmatch(row.reference)) is not None
    }
    dispatches = dict(
        Dispatch.objects.filter(key__in={key for key, _number in keyed.values()}).values_list("key", "pk")
    )
    return {pk: (dispatches[key], number) for pk, (key, number) in keyed.items() if key in dispatches}


def _by_number(rows: Iterable[InboundReceipt]) -> dict[int, Key]:
    named = {
        row: (int(match[1]), int(match[2]))
        for row in rows
        if (match := _PLAIN.fullmatch(row.reference)) is not None
    }
    if not named:
        return {}
    through = set(
        DeliveryEvent.objects.filter(
            dispatch_id__in={key[0] for key in named.values()},
            delivery_id__in={key[1] for key in named.values()},
            account_id__in={row.account_id for row in named},
        ).values_list("account_id", "dispatch_id", "delivery_id")
    )
    return {row.pk: key for row, key in named.items() if (row.account_id, *key) in through}


def _by_provider_ref(rows: Sequence[InboundReceipt]) -> dict[int, Key]:
    rows = [row for row in rows if row.provider_ref]
    if not rows:
        return {}
    events = DeliveryEvent.objects.filter(
        provider_ref__in={row.provider_ref for row in rows},
        account_id__in={row.account_id for row in rows},
        at__gte=timezone.now() - BEHIND - PARKED_FOR,
    ).values_list("account_id", "provider_ref", "dispatch_id", "delivery_id")
    named = {(account, ref): (dispatch, number) for account, ref, dispatch, number in events}
    return {
        row.pk: named[row.account_id, row.provider_ref]
        for row in rows
        if (row.account_id, row.provider_ref) in named
    }


def _existing(keys: Iterable[Key]) -> set[Key]:
    wanted = Q(pk__in=())
    for dispatch_id, number in set(keys):
        wanted |= Q(dispatch_id=dispatch_id, pk=number)
    return set(Delivery.objects.filter(wanted).values_list("dispatch_id", "pk"))


def _plausible(at: datetime | None, now: datetime) -> datetime:
    return at if at is not None and now - BEHIND < at < now + AHEAD else now


def _flat(text: str, length: int) -> str:
    return text.replace("\x00", "")[:length]
