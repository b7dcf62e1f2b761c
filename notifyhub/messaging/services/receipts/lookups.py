"""Asking providers what became of messages in doubt, where a provider can be asked.

A message is asked about at growing intervals: a carrier's report takes seconds or a day. What a provider does
not know of stays in doubt, since not being found proves nothing.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from notifyhub.customers.models import ContactPoint
from notifyhub.messaging.channels.base import Backend, Inquiry, Report
from notifyhub.messaging.channels.registry import backends
from notifyhub.messaging.models import Delivery, DeliveryEvent, Dispatch, LookUp, ProviderAccount
from notifyhub.messaging.services.accounts import backend_of
from notifyhub.messaging.services.receipts.merging import REPORTED, Receipt, record_receipts
from notifyhub.staff.services import audit

logger = logging.getLogger(__name__)
State = Delivery.State

FIRST = timedelta(minutes=1)
FACTOR = 4
# 1, 4, 16, 64 minutes, 4 and 17 hours, and nearly three days after the doubt arose.
TIMES = 7
# Doubts are looked for this far back; the row that was made for one remembers the rest.
LOOK_BACK = timedelta(days=2)
AT_ONCE = 200
# For all questions of one run together.
PATIENCE = 20.0

# Found through the events, since no index of the ledger may name the state.
_FIND = """
INSERT INTO messaging_lookup (dispatch_id, delivery_id, account_id, in_doubt_since, asked, next_at)
SELECT DISTINCT ON (e.dispatch_id, e.delivery_id)
       e.dispatch_id, e.delivery_id, e.account_id, e.at, 0,
       e.at + make_interval(secs => %(first)s)
FROM messaging_deliveryevent e
JOIN messaging_delivery d ON d.dispatch_id = e.dispatch_id AND d.id = e.delivery_id
WHERE e.kind = 'unknown' AND e.at >= %(since)s AND d.state = 10
  AND (e.account_id = ANY(%(accounts)s) OR (e.account_id IS NULL AND d.channel = ANY(%(channels)s)))
  AND NOT EXISTS (SELECT 1 FROM messaging_lookup l
                  WHERE l.dispatch_id = e.dispatch_id AND l.delivery_id = e.delivery_id)
ORDER BY e.dispatch_id, e.delivery_id, e.at
LIMIT 5000
ON CONFLICT DO NOTHING
"""

Key = tuple[int, int]


def look_up_due() -> int:
    """Ask about the messages whose time it is; return how many were settled."""
    _find_doubts()
    LookUp.objects.filter(next_at=None, in_doubt_since__lt=timezone.now() - timedelta(days=30)).delete()
    return _ask(_take(Q(next_at__lte=timezone.now()), limit=AT_ONCE))


def look_up_unknown(*, dispatch_id: int | None = None, limit: int = AT_ONCE) -> int:
    """Ask now about messages in doubt, of all dispatches or one; return how many were settled.

    For a person who will not wait; the intervals go on as they were.
    """
    _find_doubts()
    # Of one dispatch also what was given up.
    wanted = Q(next_at__isnull=False) if dispatch_id is None else Q(dispatch_id=dispatch_id)
    settled = _ask(list(LookUp.objects.filter(wanted).order_by("next_at")[:limit]))
    audit.record(
        verb="look_up_unknown",
        object_type="messaging.dispatch",
        object_id=dispatch_id or "",
        label=str(dispatch_id or "all"),
        settled=settled,
    )
    return settled


def may_look_up() -> bool:
    """Say whether there is an account in use whose provider can be asked."""
    return bool(_asking_accounts())


def _asking_accounts() -> list[ProviderAccount]:
    able = [name for name, backend in backends.items() if backend.looks_up]
    return list(ProviderAccount.objects.filter(backend__in=able, active=True).order_by("priority", "pk"))


def _find_doubts() -> None:
    accounts = _asking_accounts()
    if not accounts:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _FIND,
            {
                "first": FIRST.total_seconds(),
                "since": timezone.now() - LOOK_BACK,
                "accounts": [one.pk for one in accounts],
                "channels": sorted({one.channel for one in accounts}),
            },
        )


@transaction.atomic
def _take(wanted: Q, *, limit: int) -> list[LookUp]:
    """Return the look-ups to make, put off for the next time already: a crash costs one question."""
    rows = list(LookUp.objects.select_for_update(skip_locked=True).filter(wanted).order_by("next_at")[:limit])
    for row in rows:
        row.asked += 1
        row.next_at = row.in_doubt_since + FIRST * FACTOR**row.asked if row.asked < TIMES else None
    LookUp.objects.bulk_update(rows, ["asked", "next_at"])
    return rows


def _ask(rows: Sequence[LookUp]) -> int:
    """Ask the providers about these, settle what they know; return how many rows that moved."""
    inquiries = _inquiries(rows)
    done = [row.pk for row in rows if (row.dispatch_id, row.delivery_id) not in inquiries]
    settled = 0
    open_rows = {(row.dispatch_id, row.delivery_id): row for row in rows if row.pk not in set(done)}
    for account in _asking_accounts():
        asked = {
            key: inquiries[key]
            for key, row in open_rows.items()
            if row.account_id == account.pk
            or (row.account_id is None and inquiries[key][0] == account.channel)
        }
        backend = backend_of(account) if asked else None
        if backend is None:
            continue
        answers = _questions(backend, [inquiry for _channel, inquiry in asked.values()])
        told = {
            key: report
            for key, report in zip(asked, answers, strict=True)
            if report is not None and report.kind in REPORTED
        }
        settled += record_receipts([_receipt(key, report, account.pk) for key, report in told.items()])
        done += [open_rows.pop(key).pk for key in told]
    LookUp.objects.filter(pk__in=done).update(next_at=None)
    return settled


def _questions(backend: Backend, inquiries: Sequence[Inquiry]) -> list[Report | None]:
    async def work() -> list[Report | None]:
        try:
            async with asyncio.timeout(PATIENCE):
                return await backend.look_up(inquiries)
        finally:
            await backend.close()

    try:
        answers = asyncio.run(work())
    except Exception as error:
        # A provider that cannot be asked now is asked another time.
        logger.warning("The provider could not be asked (%s)", type(error).__name__)
        return [None] * len(inquiries)
    return answers if len(answers) == len(inquiries) else [None] * len(inquiries)


def _inquiries(rows: Sequence[LookUp]) -> dict[Key, tuple[str, Inquiry]]:
    """Return {message: (channel, question)} of those that are in doubt still and have an address."""
    wanted = Q(pk__in=())
    for row in rows:
        wanted |= Q(dispatch_id=row.dispatch_id, pk=row.delivery_id)
    deliveries = list(Delivery.objects.filter(wanted, state=State.UNKNOWN))
    points = ContactPoint.objects.in_bulk([one.contact_id for one in deliveries if one.contact_id])
    keys = dict(
        Dispatch.objects.filter(pk__in={one.dispatch_id for one in deliveries}).values_list("pk", "key")
    )
    moments = {(row.dispatch_id, row.delivery_id): row.in_doubt_since for row in rows}
    refs: dict[Key, str] = defaultdict(str)
    events = DeliveryEvent.objects.filter(
        dispatch_id__in={one.dispatch_id for one in deliveries},
        delivery_id__in={one.pk for one in deliveries},
    ).exclude(provider_ref="")
    refs.update({(one.dispatch_id, one.delivery_id): one.provider_ref for one in events})
    found = {}
    for one in deliveries:
        point = points.get(one.contact_id or 0)
        if point is None or one.dispatch_id not in keys:
            continue
        key = (one.dispatch_id, one.pk)
        found[key] = (
            one.channel,
            Inquiry(
                reference=one.reference,
                key=f"{keys[one.dispatch_id].hex}.{one.pk}",
                to=str(point.value),
                at=moments[key],
                provider_ref=refs[key],
            ),
        )
    return found


def _receipt(key: Key, report: Report, account_id: int) -> Receipt:
    return Receipt(
        dispatch_id=key[0],
        delivery_id=key[1],
        kind=report.kind,
        at=report.at or timezone.now(),
        account_id=account_id,
        provider_ref=report.provider_ref,
        code=report.code,
        detail=report.detail or "look-up",
    )
