"""How far a dispatch is, in numbers that close."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from notifyhub.messaging.engine.counts import count_dispatches
from notifyhub.messaging.models import Dispatch


@dataclass(frozen=True, kw_only=True)
class Progress:
    """planned = sent + failed + skipped + unknown + expired + cancelled + open; delivered is part of sent.

    `rate_per_second` and `eta` are None while nothing is being sent.
    """

    planned: int
    sent: int
    delivered: int
    failed: int
    skipped: int
    unknown: int
    expired: int
    cancelled: int
    open: int
    by_reason: dict[str, int]
    rate_per_second: float | None
    eta: datetime | None


def progress(*, dispatch_id: int) -> Progress:
    """Return the live counts of a dispatch, from its batches; raises Dispatch.DoesNotExist."""
    dispatch = Dispatch.objects.only("state", "rate").get(pk=dispatch_id)
    counts = count_dispatches([dispatch_id])[dispatch_id]
    rate = eta = None
    if dispatch.state == Dispatch.State.RUNNING and dispatch.rate and counts.open:
        rate = dispatch.rate
        eta = timezone.now() + timedelta(seconds=counts.open / rate)
    return Progress(
        planned=counts.planned,
        sent=counts.sent,
        delivered=counts.delivered,
        failed=counts.failed,
        skipped=counts.skipped,
        unknown=counts.unknown,
        expired=counts.expired,
        cancelled=counts.cancelled,
        open=counts.open,
        by_reason=counts.reasons,
        rate_per_second=rate,
        eta=eta,
    )
