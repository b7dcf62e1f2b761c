"""Messages that the ordering system asked for: sent for real into the sandbox, then dated by their orders."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from notifyhub.customers.demo.story import NUMBER
from notifyhub.customers.models import ContactPoint, Order
from notifyhub.messaging.demo.past import date_messages
from notifyhub.messaging.engine.foreground import drain_everything
from notifyhub.messaging.models import Delivery, DeliveryEvent, Template
from notifyhub.messaging.services.dispatches import Item, create_dispatch
from notifyhub.messaging.services.receipts import Receipt, record_receipts

DAYS = 14
# template, business lines, channels, from when on
STREAMS: tuple[tuple[str, tuple[str, ...], list[str]], ...] = (
    ("meal-delivered", ("food",), ["push", "sms"]),
    ("booking-confirmed", ("hotel",), ["sms"]),
    ("booking-confirmed", ("hotel", "travel"), ["email"]),
)
# Nobody answers under numbers that end so, though nobody has told us yet: their SMS come back.
GONE = "08"
EMPTY_NUMBER = "MK:0001"


def _told_at(order: Order) -> datetime | None:
    if order.line == Order.Line.FOOD:
        return order.fulfilled_at
    return order.placed_at + timedelta(minutes=3) if order.placed_at else None


def _facts(order: Order) -> dict[str, Any]:
    return {
        "number": order.number,
        "merchant": order.merchant,
        "amount": f"{order.amount_due:,.2f}",
        "starts_at": f"{timezone.localtime(order.starts_at):%m-%d %H:%M}" if order.starts_at else "",
    }


def _send(template: Template, channels: list[str], day: str, orders: list[Order]) -> int:
    dispatch = create_dispatch(
        title=f"{template.name} · {day}",
        origin_kind="api",
        trigger="order-center",
        message_class=template.message_class,
        topic=template.topic,
        template_version=template.versions.get(state="published"),
        chain=[{"channel": channel} for channel in channels],
        audience={"kind": "items"},
        items=[
            Item(
                item=order.pk,
                customer_id=order.customer_id,
                subject_ref=order.subject,
                variables=_facts(order),
            )
            for order in orders
        ],
        author="order-center",
    )
    return dispatch.pk


def load_order_messages() -> int:
    """Send what the orders of the last days caused; return how many messages that were."""
    now = timezone.now()
    recent = Order.objects.filter(placed_at__gt=now - timedelta(days=DAYS)).exclude(
        state__in=("cancelled", "refunded")
    )
    templates = {template.key: template for template in Template.objects.select_related("topic")}
    told = sorted(
        ((at, order) for order in recent if (at := _told_at(order)) and at < now), key=lambda pair: pair[0]
    )
    days: dict[tuple[str, int], list[tuple[datetime, Order]]] = {}
    for at, order in told:
        for number, (_key, lines, _channels) in enumerate(STREAMS):
            if order.line in lines:
                days.setdefault((f"{timezone.localtime(at):%m-%d}", number), []).append((at, order))
    times: dict[tuple[int, int], datetime] = {}
    for (day, number), pairs in days.items():
        key, _lines, channels = STREAMS[number]
        dispatch_id = _send(templates[key], channels, day, [order for _at, order in pairs])
        times |= {(dispatch_id, order.pk): at for at, order in pairs}
    drain_everything()
    date_messages(times)
    bounce_empty_numbers({dispatch_id for dispatch_id, _item in times}, but=NUMBER)
    return len(times)


def bounce_empty_numbers(dispatch_ids: Iterable[int], *, but: str = "") -> int:
    """Report, as an operator would, that the SMS to numbers out of service came back; return how many.

    `but` is a customer whose number was still in service then.
    """
    phones = ContactPoint.objects.filter(kind="phone", last4__endswith=GONE)
    gone = phones.exclude(customer__external_id=but).values_list("pk", flat=True)
    rows = Delivery.objects.filter(
        dispatch_id__in=list(dispatch_ids), channel="sms", contact_id__in=list(gone), settled_at__isnull=False
    )
    return record_receipts(
        [
            Receipt(
                dispatch_id=row.dispatch_id,
                delivery_id=row.pk,
                kind=DeliveryEvent.Kind.BOUNCED,
                at=(row.settled_at or row.send_at) + timedelta(seconds=18),
                code=EMPTY_NUMBER,
                detail="空号",
            )
            for row in rows
        ]
    )
