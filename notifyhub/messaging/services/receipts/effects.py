"""What a report means for the customer it is about."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db.models import Q
from django.utils import timezone

from notifyhub.customers.models import ContactPoint, Suppression
from notifyhub.customers.services.suppressions import suppress
from notifyhub.messaging.models import Delivery, DeliveryEvent
from notifyhub.messaging.services.preferences import find_link, opt_out
from notifyhub.staff.context import Actor, acting

if TYPE_CHECKING:
    from notifyhub.messaging.services.receipts.merging import Receipt

Kind = DeliveryEvent.Kind
PROVIDER = Actor(kind="system", name="provider's receipt")
# As the source of a consent record.
COMPLAINT = "complaint"
UNSUBSCRIBED = "provider"


def take_effect(receipts: "Sequence[Receipt]") -> None:
    """Give up contact points that bounced, and heed complaints and unsubscriptions; in the caller's
    transaction."""
    telling = (Kind.BOUNCED, Kind.COMPLAINED, Kind.UNSUBSCRIBED)
    told = {(one.dispatch_id, one.delivery_id, str(one.kind)): one for one in receipts if one.kind in telling}
    if not told:
        return
    contacts = _contacts({(dispatch_id, number) for dispatch_id, number, _kind in told})
    with acting(PROVIDER):
        for (dispatch_id, number, kind), one in told.items():
            contact = contacts.get((dispatch_id, number))
            note = f"{dispatch_id}-{number} {one.code}".strip()
            if kind == Kind.BOUNCED and contact is not None:
                _suppress(contact, Suppression.Scope.ALL, Suppression.Reason.HARD_BOUNCE, note)
            elif kind == Kind.COMPLAINED and contact is not None:
                _suppress(contact, Suppression.Scope.PROMOTIONAL, Suppression.Reason.SPAM_COMPLAINT, note)
            if kind != Kind.BOUNCED:
                link = find_link(dispatch_id=dispatch_id, delivery_id=number)
                if link is not None:
                    opt_out(link=link, source=COMPLAINT if kind == Kind.COMPLAINED else UNSUBSCRIBED)
        gone = [contacts[key[:2]].pk for key in told if key[2] == Kind.BOUNCED and key[:2] in contacts]
        ContactPoint.objects.filter(pk__in=gone, valid=True).update(
            valid=False, invalid_reason=ContactPoint.Invalid.HARD_BOUNCE, invalid_since=timezone.now()
        )


def _contacts(keys: set[tuple[int, int]]) -> dict[tuple[int, int], ContactPoint]:
    """Return {(dispatch, message): the contact point it was sent to}, as far as it is still there."""
    wanted = Q()
    for dispatch_id, number in keys:
        wanted |= Q(dispatch_id=dispatch_id, pk=number)
    rows = Delivery.objects.filter(wanted, contact_id__isnull=False)
    by_row = {(one.dispatch_id, one.pk): one.contact_id for one in rows}
    points = ContactPoint.objects.in_bulk(list(set(by_row.values())))
    return {key: points[number] for key, number in by_row.items() if number in points}


def _suppress(contact: ContactPoint, scope: str, reason: str, note: str) -> None:
    suppress(
        kind=contact.kind,
        value_hash=bytes(contact.value_hash),
        masked=contact.masked,
        scope=scope,
        reason=reason,
        note=note,
    )
