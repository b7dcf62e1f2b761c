"""The formulas of the portraits once more, as a loop over customers: slow, obvious, and the tests' oracle."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from notifyhub.customers.models import Customer, Event, Order, TraitSettings
from notifyhub.customers.services.traits.sql import DONE_BY_CUSTOMER, NOT_COUNTED, REACTIONS

YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Bought:
    """One order that counts."""

    at: datetime
    order: Order
    local: datetime

    @property
    def paid(self) -> Decimal:
        return self.order.amount_paid - self.order.amount_refunded


def portrait(
    customer: Customer, orders: Iterable[Order], events: Sequence[Event], given: TraitSettings, now: datetime
) -> dict[str, Any]:
    """Return what the row of this customer must hold, by the name of each column."""
    zone = ZoneInfo(customer.time_zone)
    bought = sorted(
        (
            Bought(at, order, at.astimezone(zone))
            for order in orders
            if order.state not in NOT_COUNTED and (at := order.placed_at or order.told_at)
        ),
        key=lambda one: one.at,
    )
    recent = [one for one in bought if one.at > now - YEAR]
    within = {days: [one for one in bought if one.at > now - timedelta(days=days)] for days in (30, 90)}
    signs = [e.occurred_at for e in events if e.source != Event.OWN or e.name in DONE_BY_CUSTOMER]
    first = bought[0].at if bought else None
    last = bought[-1].at if bought else None
    currency = _most(bought, lambda one: one.order.currency, 1)
    mine = [one for one in bought if one.order.currency == currency]
    paying = [one.paid for one in mine if one.paid > 0]
    least = given.favourite_orders
    return {
        "stage": _stage(customer.created_at, first, last, given, now),
        "last_seen_at": max([*signs, *([last] if last else [])], default=None),
        "first_order_at": first,
        "last_order_at": last,
        "orders_30": len(within[30]),
        "orders_90": len(within[90]),
        "orders_total": len(bought),
        "order_gap_days": _gap(recent),
        "currency": currency or "",
        "spend_30": sum((one.paid for one in within[30] if one in mine), Decimal(0)),
        "spend_90": sum((one.paid for one in within[90] if one in mine), Decimal(0)),
        "spend_total": sum((one.paid for one in mine), Decimal(0)),
        "average_basket": _round(sum(paying) / len(paying), "0.01") if paying else None,
        "foreign_orders": len(bought) - len(mine),
        "favourite_line": _most(recent, lambda one: one.order.line, least) or "",
        "favourite_merchant": _most(recent, lambda one: one.order.merchant or None, least) or "",
        "favourite_hour": _most(recent, lambda one: one.local.hour, least),
        "favourite_weekday": _most(recent, lambda one: one.local.isoweekday(), least),
        "last_city": next((one.order.city for one in reversed(bought) if one.order.city), ""),
        **_reactions(events, zone, given, now),
    }


def _stage(
    since: datetime, first: datetime | None, last: datetime | None, given: TraitSettings, now: datetime
) -> str:
    def younger(moment: datetime, days: int) -> bool:
        return moment > now - timedelta(days=days)

    if younger(first or since, given.new_days):
        return "new"
    if last and younger(last, given.active_days):
        return "active"
    if younger(last or since, given.cooling_days):
        return "cooling"
    return "asleep" if younger(last or since, given.asleep_days) else "lost"


def _gap(recent: Sequence[Bought]) -> Decimal | None:
    if len(recent) < 2:
        return None
    seconds = Decimal((recent[-1].at - recent[0].at) // timedelta(microseconds=1)) / 1_000_000
    return _round(seconds / 86400 / (len(recent) - 1), "0.1")


def _round(value: Any, to: str) -> Decimal:
    return Decimal(value).quantize(Decimal(to), rounding=ROUND_HALF_UP)


def _most(rows: Sequence[Bought], key: Callable[[Bought], Hashable], least: int) -> Any:
    """Return the value that most rows have, `least` at least; of equals the one had last."""
    return _most_of([(key(one), one.at) for one in rows], least)


def _most_of(pairs: Iterable[tuple[Any, datetime]], least: int) -> Any:
    times: dict[Any, list[datetime]] = defaultdict(list)
    for value, at in pairs:
        if value is not None:
            times[value].append(at)
    ranked = sorted(times, key=lambda value: (len(times[value]), max(times[value])), reverse=True)
    return ranked[0] if ranked and len(times[ranked[0]]) >= least else None


def _reactions(
    events: Sequence[Event], zone: ZoneInfo, given: TraitSettings, now: datetime
) -> dict[str, Any]:
    since = now - timedelta(days=given.reaction_days)
    firsts: dict[tuple[str, Any], datetime] = {}
    for event in events:
        if event.source == Event.OWN and event.name in REACTIONS and event.occurred_at > since:
            key = (event.properties["channel"], event.properties["delivery"])
            firsts[key] = min(event.occurred_at, firsts.get(key, event.occurred_at))
    channel = _most_of([(key[0], at) for key, at in firsts.items()], given.reaction_minimum)
    hour = _most_of([(at.astimezone(zone).hour, at) for at in firsts.values()], 2)
    enough = len(firsts) >= given.reaction_minimum
    return {"best_channel": channel or "", "best_hour": hour if enough else None, "reactions": len(firsts)}
