"""Receipts as they come in: stored first, matched with their messages then, parked if there is none yet."""

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from notifyhub.core.logs import mask
from notifyhub.messaging.channels.base import Report
from notifyhub.messaging.engine import bells
from notifyhub.messaging.models import InboundReceipt
from notifyhub.messaging.services.receipts.merging import REPORTED, Receipt, record_receipts
from notifyhub.messaging.services.receipts.naming import PARKED_FOR, find_messages, flat, plausible

AT_ONCE = 500


@transaction.atomic
def store_reports(*, account_id: int, reports: Sequence[Report]) -> int:
    """Store what a provider reported and have it matched; return how many were stored.

    A repeated event is stored once. Kinds that mean nothing to us are left out.
    """
    now = timezone.now()
    rows = [
        InboundReceipt(
            account_id=account_id,
            event_id=flat(one.event_id, 120),
            kind=one.kind,
            reference=flat(one.reference, 60) if len(one.reference) <= 60 else "",
            provider_ref=flat(one.provider_ref, 120),
            at=plausible(one.at, now),
            code=flat(one.code, 40),
            detail=mask(flat(one.detail, 300)),
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
    known = find_messages(rows)
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
