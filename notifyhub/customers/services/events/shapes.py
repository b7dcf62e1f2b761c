"""What an event is when it arrives, and what it says about an order."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Order

MAX_PROPERTIES = 32 * 1024
# A platform's clock may be a little ahead of ours, not a day.
AHEAD = timedelta(hours=24)
EVENT_NAME = re.compile(r"^[a-z][a-z0-9_.]{0,79}\Z")

State = Order.State
# None: the event tells of an order without moving its state.
ORDER_EVENTS: dict[str, str | None] = {
    "order_placed": State.PLACED,
    "booking_placed": State.PLACED,
    "bill_issued": State.PLACED,
    "order_paid": State.PAID,
    "booking_paid": State.PAID,
    "bill_paid": State.PAID,
    "order_confirmed": State.CONFIRMED,
    "booking_confirmed": State.CONFIRMED,
    "order_picked_up": State.UNDER_WAY,
    "order_under_way": State.UNDER_WAY,
    "stay_started": State.UNDER_WAY,
    "trip_started": State.UNDER_WAY,
    "order_delivered": State.COMPLETED,
    "order_completed": State.COMPLETED,
    "stay_completed": State.COMPLETED,
    "trip_completed": State.COMPLETED,
    "order_cancelled": State.CANCELLED,
    "booking_cancelled": State.CANCELLED,
    "refund_requested": State.REFUND_ASKED,
    "order_refunded": State.REFUNDED,
    "refund_completed": State.REFUNDED,
    "order_disputed": State.DISPUTED,
    "order_updated": None,
    "booking_updated": None,
}
# Of two statements made at the same moment the one further along stands.
PROGRESS = [str(state) for state in State]

_TEXTS = {"merchant": 120, "city": 60}
_AMOUNTS = ("amount_due", "amount_paid", "amount_refunded")
_TIMES = {
    "placed_at": "placed_at",
    "due_at": "due_at",
    "starts_at": "starts_at",
    "check_in": "starts_at",
    "departure_at": "starts_at",
    "promised_at": "promised_at",
    "fulfilled_at": "fulfilled_at",
}


@dataclass(frozen=True, kw_only=True)
class EventIn:
    """One event as it was told. The customer is named by number, or else by phone or email.

    A visitor who has not said who they are has an `anonymous_id` alone. `customer_id` is set by those who
    write events of our own and know the row.
    """

    message_id: str
    name: str
    occurred_at: datetime
    external_id: str = ""
    phone: str = ""
    email: str = ""
    anonymous_id: str = ""
    customer_id: int | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    order_number: str = ""
    source: str = "internal"


@dataclass(frozen=True, kw_only=True)
class OrderNews:
    """What one event says about its order; None is "not said"."""

    number: str
    told_at: datetime
    state: str | None = None
    line: str | None = None
    merchant: str | None = None
    city: str | None = None
    currency: str | None = None
    amount_due: Decimal | None = None
    amount_paid: Decimal | None = None
    amount_refunded: Decimal | None = None
    placed_at: datetime | None = None
    due_at: datetime | None = None
    starts_at: datetime | None = None
    promised_at: datetime | None = None
    fulfilled_at: datetime | None = None


def check_event(event: EventIn) -> str:
    """Return the event's properties as JSON; raise Refused, naming the field, if the event is not one."""
    if not 0 < len(event.message_id) <= 120 or not event.message_id.isprintable():
        raise Refused(_("A message id has 1 to 120 printable characters."), field="message_id")
    if not EVENT_NAME.match(event.name):
        raise Refused(_("Write the event's name like order_paid."), field="name")
    if timezone.is_naive(event.occurred_at):
        raise Refused(_("Give the time with its zone, like 2026-11-20T14:32:08+08:00."), field="occurred_at")
    if event.occurred_at > timezone.now() + AHEAD:
        raise Refused(_("An event cannot occur in the future."), field="occurred_at")
    if not (event.external_id or event.phone or event.email or event.anonymous_id or event.customer_id):
        raise Refused(_("Name the customer by number, phone or email."), field="external_id")
    if len(event.order_number) > 64 or not event.order_number.isprintable():
        raise Refused(_("Use at most %d characters.") % 64, field="order_number")
    return json_text(event.properties, field="properties", limit=MAX_PROPERTIES)


def json_text(value: Any, *, field: str, limit: int) -> str:
    """Return `value` as JSON that PostgreSQL can keep; raise Refused otherwise."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise Refused(_("This is not usable as JSON."), field=field) from error
    if size > limit:
        raise Refused(_("Use at most %d bytes.") % limit, field=field)
    if "\\u0000" in text:
        raise Refused(_("Null characters cannot be kept."), field=field)
    return text


def order_news(event: EventIn) -> OrderNews | None:
    """Return what the event says about an order, None if it is about none; raise Refused on a bad value."""
    if event.name not in ORDER_EVENTS:
        return None
    said = event.properties
    number = event.order_number or str(said.get("order_number") or said.get("order_id") or "")
    if not 0 < len(number) <= 64 or not number.isprintable():
        raise Refused(_("“%s” needs an order number.") % event.name, field="order_number")
    facts: dict[str, Any] = {name: _text(said, name, limit) for name, limit in _TEXTS.items()}
    facts |= {name: _amount(said, name) for name in _AMOUNTS}
    for name, target in _TIMES.items():
        facts[target] = facts.get(target) or _time(said, name)
    facts["line"] = _choice(said, "line", Order.Line.values)
    currency = said.get("currency")
    if currency is not None and not re.fullmatch(r"[A-Z]{3}", str(currency)):
        raise Refused(_("Write the currency like CNY."), field="properties.currency")
    state = ORDER_EVENTS[event.name] or _choice(said, "state", Order.State.values)
    if state == State.PLACED:
        facts["placed_at"] = facts["placed_at"] or event.occurred_at
    if state == State.COMPLETED:
        facts["fulfilled_at"] = facts["fulfilled_at"] or event.occurred_at
    return OrderNews(number=number, told_at=event.occurred_at, state=state, currency=currency, **facts)


def _text(said: Mapping[str, Any], name: str, limit: int) -> str | None:
    value = said.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > limit:
        raise Refused(_("Use at most %d characters.") % limit, field=f"properties.{name}")
    return value.strip() or None


def _choice(said: Mapping[str, Any], name: str, known: list[str]) -> str | None:
    value = said.get(name)
    if value is None or value in known:
        return value
    raise Refused(_("Use one of: %s.") % ", ".join(known), field=f"properties.{name}")


def _amount(said: Mapping[str, Any], name: str) -> Decimal | None:
    value = said.get(name)
    if value is None:
        return None
    try:
        if isinstance(value, bool):
            raise InvalidOperation
        amount = Decimal(str(value))
        if not amount.is_finite() or not 0 <= amount < Decimal("1e10"):
            raise InvalidOperation
        return amount.quantize(Decimal("0.01"))
    except InvalidOperation as error:
        raise Refused(_("This is not an amount of money."), field=f"properties.{name}") from error


def _time(said: Mapping[str, Any], name: str) -> datetime | None:
    value = said.get(name)
    if value is None:
        return None
    try:
        moment = parse_datetime(str(value))
        if moment is None and (day := parse_date(str(value))) is not None:
            moment = timezone.make_aware(datetime(day.year, day.month, day.day))  # noqa: DTZ001
        if moment is None:
            raise ValueError
        moment = moment if timezone.is_aware(moment) else timezone.make_aware(moment)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Refused(
            _("Write a time like 2026-11-20T14:32:08+08:00."), field=f"properties.{name}"
        ) from error
