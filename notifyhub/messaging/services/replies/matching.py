"""Who replied, and to which message."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Coalesce

from notifyhub.customers.models import ContactPoint, Customer
from notifyhub.customers.models.consent import CONTACT_KIND
from notifyhub.customers.services.merging import person_ids
from notifyhub.messaging.models import Delivery, Dispatch, InboundMessage
from notifyhub.messaging.services.receipts.naming import find_messages

ANSWERED_WITHIN = timedelta(hours=72)
# Clocks of providers differ.
AHEAD = timedelta(minutes=5)
LOOKED = 2_000
ARRIVED = (Delivery.State.UNKNOWN, Delivery.State.SENT, Delivery.State.DELIVERED)


@dataclass(frozen=True, kw_only=True)
class Match:
    """The customers behind a contact point, and the message that was answered; both may be unknown.

    `customer_id` is whom the reply is shown with: who got that message, or the only one there is.
    """

    customer_ids: tuple[int, ...]
    customer_id: int | None
    delivery: Delivery | None
    dispatch: Dispatch | None


def find_match(reply: InboundMessage) -> Match:
    """Return who wrote this reply and what they answer: the message that the provider names, or else the last
    that went to this contact point within three days, rather one of the same account."""
    points = ContactPoint.objects.filter(
        kind=CONTACT_KIND[reply.channel] or "", value_hash=bytes(reply.contact_hash or b"")
    )
    by_point = dict(points.filter(customer__state=Customer.State.ACTIVE).values_list("pk", "customer_id"))
    owners = tuple(sorted(set(by_point.values())))
    delivery = _named(reply, by_point) or _last(reply, by_point, owners)
    customer_id = owners[0] if len(owners) == 1 else None
    if delivery is not None:
        customer_id = by_point.get(delivery.contact_id or 0, customer_id)
    dispatch = None
    if delivery is not None:
        dispatch = Dispatch.objects.select_related("topic").filter(pk=delivery.dispatch_id).first()
    return Match(
        customer_ids=owners,
        customer_id=customer_id,
        delivery=delivery if dispatch is not None else None,
        dispatch=dispatch,
    )


def _named(reply: InboundMessage, by_point: dict[int, int]) -> Delivery | None:
    """Return the message that the provider named, if it went to whom the reply is from."""
    if not (reply.reference or reply.provider_ref):
        return None
    key = find_messages([reply]).get(reply.pk)
    if key is None:
        return None
    return Delivery.objects.filter(
        dispatch_id=key[0], pk=key[1], channel=reply.channel, contact_id__in=by_point
    ).first()


def _last(reply: InboundMessage, by_point: dict[int, int], owners: tuple[int, ...]) -> Delivery | None:
    if not owners:
        return None
    everybody = {one for owner in owners for one in person_ids(customer_id=owner)}
    theirs = Delivery.objects.filter(customer_id__in=everybody)
    rows = (
        theirs.filter(id__in=theirs.order_by("-id").values("id")[:LOOKED])
        .filter(channel=reply.channel, contact_id__in=by_point, state__in=ARRIVED)
        .annotate(told_at=Coalesce("settled_at", "send_at"))
        .filter(Q(told_at__gt=reply.at - ANSWERED_WITHIN), Q(told_at__lte=reply.at + AHEAD))
        .order_by("-told_at", "-id")
    )
    found = list(rows[:50])
    return next((one for one in found if one.account_id == reply.account_id), found[0] if found else None)
