"""By which channels this customer can be answered now, and why not by the others."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from notifyhub.customers.models import ContactPoint, Customer, Suppression
from notifyhub.customers.models.consent import CONTACT_KIND, Channel

SHOWN = (Channel.SMS, Channel.EMAIL, Channel.WECHAT, Channel.PUSH, Channel.INBOX)
ICONS = {
    Channel.SMS: "sms",
    Channel.EMAIL: "mail",
    Channel.WECHAT: "forum",
    Channel.PUSH: "notifications",
    Channel.INBOX: "inbox",
    Channel.WECOM: "groups",
    Channel.DINGTALK: "chat_bubble",
}


@dataclass(frozen=True, kw_only=True)
class ChannelChoice:
    """One channel as the composer shows it; `reason` says why it cannot be used."""

    code: str
    label: Any
    icon: str
    available: bool
    reason: Any = ""
    masked: str = ""


def channel_choices(customer: Customer | None) -> list[ChannelChoice]:
    """Return the channels of a customer's answer, usable ones first; two queries at most."""
    if customer is None or customer.state != Customer.State.ACTIVE:
        return []
    points = {
        point.kind: point
        for point in ContactPoint.objects.filter(customer=customer, primary=True).defer("value")
    }
    stopped = set()
    if points:
        wanted = Q(pk__in=[])
        for point in points.values():
            wanted |= Q(kind=point.kind, value_hash=point.value_hash)
        # An answer is transactional: a suppression of promotions alone does not stop it.
        stopped = set(
            Suppression.objects.filter(wanted, scope="all", lifted_at=None).values_list("kind", flat=True)
        )
    choices = [_choice(channel, points, stopped, customer) for channel in _listed(points)]
    return sorted(choices, key=lambda choice: not choice.available)


def _listed(points: dict[str, ContactPoint]) -> Iterable[Channel]:
    yield from SHOWN
    for channel in (Channel.WECOM, Channel.DINGTALK):
        if CONTACT_KIND[channel] in points:
            yield channel


def _choice(
    channel: Channel, points: dict[str, ContactPoint], stopped: set[str], customer: Customer
) -> ChannelChoice:
    facts: dict[str, Any] = {"code": channel.value, "label": channel.label, "icon": ICONS[channel]}
    kind = CONTACT_KIND[channel]
    if kind is None:
        known = not customer.provisional
        return ChannelChoice(**facts, available=known, reason="" if known else _("no account"))
    point = points.get(kind)
    if point is None:
        return ChannelChoice(**facts, available=False, reason=_("no address"))
    if not point.valid:
        return ChannelChoice(
            **facts, available=False, reason=point.get_invalid_reason_display() or _("not valid")
        )
    if kind in stopped:
        return ChannelChoice(**facts, available=False, reason=_("suppressed"))
    return ChannelChoice(**facts, available=True, masked=point.masked)
