"""Parked events tried again: by the tick, when their customer appears, and by hand."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core import crypto
from notifyhub.core.errors import Refused
from notifyhub.customers.models import Alias, ContactPoint, Customer, ParkedEvent
from notifyhub.customers.services.events.again import in_one
from notifyhub.customers.services.events.names import current_names
from notifyhub.customers.services.events.parking import event_of
from notifyhub.customers.services.events.people import current_policy, id_hash
from notifyhub.customers.services.events.recording import EventsResult, take_events
from notifyhub.customers.services.events.shapes import EVENT_NAME
from notifyhub.customers.signals import customers_upserted
from notifyhub.staff.context import current_actor
from notifyhub.staff.services import audit

Why, State = ParkedEvent.Why, ParkedEvent.State
# What one go of the tick tries again; the ones it tried longest ago come first.
TRIED = 2000
# A client that sends nothing but rubbish fills no disk: of refused ones the newest are kept.
MOST_REFUSED = 50_000

_REFUSE = """
UPDATE customers_parkedevent p
SET why = 'refused', field = u.field, reason = u.reason, tries = p.tries + 1, tried_at = now()
FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS u (id, field, reason)
WHERE p.id = u.id AND p.state = 'waiting'
"""


def take_waiting(
    *, hashes: Iterable[bytes] | None = None, ids: Iterable[int] | None = None, limit: int = TRIED
) -> int:
    """Try parked events again, those with one of `hashes`, or these, or the ones tried longest ago.

    Returns how many of them are taken now. Nobody is created by it: who must be, is by `retry_parked`.
    """
    rows = ParkedEvent.objects.filter(state=State.WAITING).exclude(why=Why.REFUSED)
    if hashes is not None:
        rows = rows.filter(keys__overlap=list(hashes))
    if ids is not None:
        rows = rows.filter(pk__in=list(ids))
    locked = rows.select_for_update(skip_locked=True).order_by("tried_at", "pk")[:limit]
    return in_one(lambda: _try(list(locked.all()), create=False))


def _try(rows: Sequence[ParkedEvent], *, create: bool | None) -> int:
    """Take what can be taken of these locked rows; write why not on the others."""
    events, places = [], []
    refused: list[tuple[int, str, str]] = []
    names = current_names()
    for row in rows:
        try:
            event = event_of(row.payload)
            if not EVENT_NAME.match(event.name):
                # Another system's name, for which there may be a mapping by now.
                name, properties = names.ours(event.name, event.properties)
                event = replace(event, name=name, properties=properties)
            events.append(event)
            places.append(row.pk)
        except Refused as refusal:
            refused.append((row.pk, (refusal.field or "")[:80], str(refusal)[:300]))
    result = take_events(events, create=create) if events else EventsResult()
    refused += [(places[p.index], p.field[:80], p.message[:300]) for p in result.problems]
    taken = [places[index] for index in result.settled]
    now = timezone.now()
    # Those whose event is new have been ended with it; these were known before.
    ParkedEvent.FLOW.advance(ParkedEvent.objects.filter(pk__in=taken), to=State.TAKEN, ended_at=now)
    ParkedEvent.objects.filter(pk__in=taken).update(ended_by=current_actor().name[:120])
    waiting = [places[index] for index in result.unknown]
    ParkedEvent.objects.filter(pk__in=waiting).update(tried_at=now)
    if refused:
        with connection.cursor() as cursor:
            cursor.execute(_REFUSE, [list(column) for column in zip(*refused, strict=True)])
    return len(taken)


def retry_parked(*, ids: Sequence[int]) -> int:
    """Try these again by hand, the refused too, by the policy of now; return how many were taken."""
    with transaction.atomic():
        rows = ParkedEvent.objects.filter(pk__in=list(ids), state=State.WAITING)
        locked = list(rows.select_for_update().order_by("pk"))
        if not locked:
            raise Refused(_("None of these waits any more. Reload the page."))
        taken = _try(locked, create=None)
        audit.record(
            verb="retry_parked_events",
            object_type="customers.parkedevent",
            label=str(len(locked)),
            tried=len(locked),
            taken=taken,
            ids=[row.pk for row in locked][:100],
        )
    return taken


def discard_parked(*, ids: Sequence[int], reason: str) -> int:
    """Give these up for good, saying why; what was told is forgotten. Returns how many."""
    if len(reason.strip()) < 3:
        raise Refused(_("Say in a few words why."), field="reason")
    with transaction.atomic():
        done = ParkedEvent.FLOW.advance(
            ParkedEvent.objects.filter(pk__in=list(ids)),
            to=State.DISCARDED,
            ended_at=timezone.now(),
            ended_by=current_actor().name[:120],
            ended_reason=reason.strip()[:300],
            sealed=crypto.encrypt("{}"),
            keys=[],
        )
        if not done:
            raise Refused(_("None of these waits any more. Reload the page."))
        audit.record(
            verb="discard_parked_events",
            object_type="customers.parkedevent",
            label=str(done),
            reason=reason.strip(),
            ids=list(ids)[:100],
        )
    return done


def hashes_of(*, customer_ids: Sequence[int]) -> list[bytes]:
    """Return every look-up hash that events may name these customers by."""
    ids = list(customer_ids)
    numbers = Customer.objects.filter(pk__in=ids, external_id__isnull=False).values_list(
        "external_id", flat=True
    )
    points = ContactPoint.objects.filter(customer_id__in=ids, kind__in=("phone", "email"))
    aliases = Alias.objects.filter(customer_id__in=ids)
    return [
        *(id_hash(number) for number in numbers if number),
        *(bytes(value) for value in points.values_list("value_hash", flat=True)),
        *(bytes(value) for value in aliases.values_list("value_hash", flat=True)),
    ]


def any_waiting() -> bool:
    """Say whether any event waits for its customer at all."""
    return ParkedEvent.objects.filter(state=State.WAITING).exclude(why=Why.REFUSED).exists()


def match_parked() -> int:
    """Try the parked events again whose turn it is (for the tick); return how many were taken."""
    return take_waiting() if any_waiting() else 0


def forget_parked(*, now: datetime | None = None) -> int:
    """Delete what has waited or ended longer than the policy keeps it; return how many rows went."""
    now = now or timezone.now()
    edge = now - timedelta(days=current_policy().waiting_days)
    gone = ParkedEvent.objects.filter(received_at__lt=edge)[:20_000].values("pk")
    count: int = ParkedEvent.objects.filter(pk__in=gone).delete()[0]
    extra = ParkedEvent.objects.filter(why=Why.REFUSED).order_by("-pk")[MOST_REFUSED : MOST_REFUSED + 20_000]
    return count + ParkedEvent.objects.filter(pk__in=list(extra.values_list("pk", flat=True))).delete()[0]


def on_customers_upserted(ids: Sequence[int], **kwargs: Any) -> None:
    """Take what waited for these customers, as soon as they are there; the tick makes up for a lost hint."""
    if any_waiting():
        take_waiting(hashes=hashes_of(customer_ids=ids))


def register() -> None:
    """Listen to who appears."""
    customers_upserted.connect(on_customers_upserted, dispatch_uid="customers.parked_events")
