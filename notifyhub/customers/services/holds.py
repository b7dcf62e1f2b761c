"""Pausing what one customer gets, and ending the pause."""

import re
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Channel, Customer, Hold, Topic
from notifyhub.staff.context import current_actor
from notifyhub.staff.services import audit

SUBJECT = re.compile(r"[a-z_]{2,20}:\S{1,64}")


def _read_scope(scope: str, value: str) -> str:
    value = (value or "").strip()
    if scope not in Hold.Scope.values:
        raise Refused(_("Choose what is paused."), field="scope")
    if scope == Hold.Scope.PROMOTIONS:
        return ""
    if scope == Hold.Scope.TOPIC and not Topic.objects.filter(code=value).exists():
        raise Refused(_("Choose the topic that is paused."), field="scope_value")
    if scope == Hold.Scope.CHANNEL and value not in Channel.values:
        raise Refused(_("Choose the channel that is paused."), field="scope_value")
    if scope == Hold.Scope.SUBJECT:
        # People type the order number alone.
        value = value if ":" in value else f"order:{value}"
        if not SUBJECT.fullmatch(value):
            raise Refused(_("Name the order or bill that is paused."), field="scope_value")
    return value


@transaction.atomic
def place_hold(
    *,
    customer_id: int,
    scope: str,
    reason: str,
    scope_value: str = "",
    origin_kind: str = "staff",
    origin_id: str = "",
    ends_at: datetime | None = None,
) -> Hold:
    """Place a hold and return it; the one in force if the same origin placed it already.

    `scope_value` is a topic's code, a channel, or a subject like "order:H2611-4471-02".
    """
    scope_value = _read_scope(scope, scope_value)
    if not reason.strip():
        raise Refused(_("Give a reason; colleagues read it on the customer's page."), field="reason")
    if ends_at and ends_at <= timezone.now():
        raise Refused(_("Choose an end after %s.") % timezone.localtime().strftime("%H:%M"), field="ends_at")
    # The lock makes two holds of one origin wait for each other.
    customer = Customer.objects.select_for_update().filter(pk=customer_id).first()
    if customer is None or customer.state != Customer.State.ACTIVE:
        raise Refused(_("This customer was erased or merged; nothing can be paused for them."))
    facts = {"scope": scope, "scope_value": scope_value, "origin_kind": origin_kind, "origin_id": origin_id}
    if origin_id:
        standing = Hold.objects.in_force(timezone.now()).filter(customer_id=customer_id, **facts).first()
        if standing:
            return standing
    actor = current_actor()
    hold = Hold.objects.create(
        customer_id=customer_id,
        reason=reason.strip()[:200],
        ends_at=ends_at,
        placed_by_id=actor.id if actor.kind == "staff" else None,
        **facts,
    )
    _record("place_hold", hold, reason)
    return hold


@transaction.atomic
def release_hold(*, hold_id: int, reason: str = "") -> Hold:
    """End a hold now and return it; raise Refused if it is over already."""
    moved = Hold.objects.in_force(timezone.now()).filter(pk=hold_id).update(released_at=timezone.now())
    if not moved:
        raise Refused(_("This hold is over already."))
    hold = Hold.objects.get(pk=hold_id)
    _record("release_hold", hold, reason)
    return hold


@transaction.atomic
def release_holds_of(*, origin_kind: str, origin_id: str, reason: str = "") -> int:
    """End every hold that this origin placed; return how many there were."""
    holds = list(
        Hold.objects.filter(
            origin_kind=origin_kind, origin_id=origin_id, released_at=None
        ).select_for_update()
    )
    Hold.objects.filter(pk__in=[hold.pk for hold in holds]).update(released_at=timezone.now())
    for hold in holds:
        _record("release_hold", hold, reason)
    return len(holds)


def _record(verb: str, hold: Hold, reason: str) -> None:
    audit.record(
        verb=verb,
        object_type="customers.customer",
        object_id=hold.customer_id,
        label=f"#{hold.customer_id}",
        reason=reason.strip(),
        hold=hold.pk,
        scope=hold.scope,
        scope_value=hold.scope_value,
        origin=f"{hold.origin_kind}:{hold.origin_id}",
    )
