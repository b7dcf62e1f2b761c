"""One portrait for the page: the row, why the stage, and the small charts behind the favourites."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from notifyhub.customers.models import Customer, CustomerTrait, Event, Order, Stage, TraitBlock, TraitSettings
from notifyhub.customers.services.traits.refreshing import block_of, read_settings
from notifyhub.customers.services.traits.sql import NOT_COUNTED, REACTIONS

YEAR = timedelta(days=365)
# More than these would not change what a small chart looks like.
MOST = 2_000


@dataclass(kw_only=True)
class Portrait:
    """What the panel shows; `as_of` is when it was last found true."""

    row: CustomerTrait
    given: TraitSettings
    as_of: datetime
    now: datetime
    order_hours: list[int] = field(default_factory=lambda: [0] * 24)
    weekdays: list[int] = field(default_factory=lambda: [0] * 7)
    months: dict[str, Decimal] = field(default_factory=dict)
    reaction_hours: list[int] = field(default_factory=lambda: [0] * 24)
    channels: list[tuple[str, int]] = field(default_factory=list)

    @property
    def days_since_order(self) -> int | None:
        """Return the whole days since the last order, None without one."""
        return (self.now - self.row.last_order_at).days if self.row.last_order_at else None

    @property
    def why(self) -> str:
        """Return in one sentence why the customer is in this stage."""
        row, given = self.row, self.given
        if row.first_order_at and row.stage == Stage.NEW:
            return _("First order %(ago)s, new up to %(limit)s.") % {
                "ago": _ago((self.now - row.first_order_at).days),
                "limit": _days(given.new_days),
            }
        since = self.days_since_order
        if since is None:
            return _("No order yet; known to us for %s.") % _days((self.now - row.customer.created_at).days)
        limits = [given.active_days, given.cooling_days, given.asleep_days]
        place = {Stage.ACTIVE: 0, Stage.COOLING: 1, Stage.ASLEEP: 2}.get(Stage(row.stage), 3)
        said = _("Last order %s") % _ago(since)
        if place == 0:
            return _("%(said)s, active up to %(limit)s.") % {"said": said, "limit": _days(limits[0])}
        if place == 3:
            return _("%(said)s, more than %(limit)s.") % {"said": said, "limit": _days(limits[2])}
        return _("%(said)s: more than %(low)d, at most %(limit)s.") % {
            "said": said,
            "low": limits[place - 1],
            "limit": _days(limits[place]),
        }

    @property
    def favourite_place(self) -> int | None:
        """Return the place of the favourite weekday in `weekdays`, None if there is none."""
        return self.row.favourite_weekday - 1 if self.row.favourite_weekday else None

    @property
    def empty(self) -> bool:
        """Say whether there is nothing to tell but the stage."""
        return not self.row.orders_total and not self.row.reactions


def _days(number: int) -> str:
    return ngettext("%d day", "%d days", number) % number


def _ago(days: int) -> str:
    return _("today") if days == 0 else ngettext("%d day ago", "%d days ago", days) % days


def portray(*, customer: Customer, now: datetime | None = None) -> Portrait | None:
    """Return the customer's portrait, None if there is none yet; at most five queries."""
    now = now or timezone.now()
    row = CustomerTrait.objects.filter(pk=customer.pk).first()
    if row is None:
        return None
    row.customer = customer
    block = TraitBlock.objects.filter(pk=block_of(customer.pk)).first()
    moments = [row.computed_at, *([block.refreshed_at] if block and block.refreshed_at else [])]
    found = Portrait(row=row, given=read_settings(), as_of=max(moments), now=now)
    zone = ZoneInfo(customer.time_zone)
    _add_orders(found, zone)
    _add_reactions(found, zone)
    return found


def _add_orders(found: Portrait, zone: ZoneInfo) -> None:
    rows = Order.objects.filter(customer_id=found.row.customer_id).exclude(state__in=NOT_COUNTED)
    rows = rows.annotate(at=Coalesce("placed_at", "told_at")).filter(at__gt=found.now - YEAR)
    this = timezone.localtime(found.now, zone).replace(day=1)
    months = [this]
    while len(months) < 12:
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    found.months = {f"{month:%Y-%m}": Decimal(0) for month in reversed(months)}
    for at, currency, paid, refunded in rows.order_by("-at").values_list(
        "at", "currency", "amount_paid", "amount_refunded"
    )[:MOST]:
        local = at.astimezone(zone)
        found.order_hours[local.hour] += 1
        found.weekdays[local.weekday()] += 1
        name = f"{local:%Y-%m}"
        if currency == found.row.currency and name in found.months:
            found.months[name] += paid - refunded


def _add_reactions(found: Portrait, zone: ZoneInfo) -> None:
    rows = Event.objects.filter(
        customer_id=found.row.customer_id,
        name__in=REACTIONS,
        source=Event.OWN,
        occurred_at__gt=found.now - timedelta(days=found.given.reaction_days),
    )
    firsts: dict[tuple[Any, Any], datetime] = {}
    for at, properties in rows.order_by("-occurred_at").values_list("occurred_at", "properties")[:MOST]:
        firsts[properties.get("channel"), properties.get("delivery")] = at
    for at in firsts.values():
        found.reaction_hours[at.astimezone(zone).hour] += 1
    found.channels = Counter(channel for channel, _delivery in firsts).most_common()
