"""Orders of three business lines, and the events that told us of them."""

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from django.db.models import Max
from django.utils import timezone

from notifyhub.customers.models import Customer, Event, EventKey, Order

FOOD = ("老城火锅", "福记粥铺", "渔人烧烤", "一碗面馆", "春和小笼", "青椒小炒", "南门糖水铺", "海胆屋")
HOTELS = ("海棠湾花园酒店", "西湖云栖客栈", "外滩江景酒店", "锦里庭院", "大雁塔国际酒店", "白云宾馆")
TRIPS = ("杭州 → 三亚", "上海 → 成都", "北京 → 西安", "广州 → 武汉", "深圳 → 乌鲁木齐")
CANCELLED = 0.05


def _order(rng: Random, now: datetime, n: int, customer: Customer) -> Order:
    line = rng.choices(("food", "hotel", "travel"), (72, 18, 10))[0]
    age = timedelta(minutes=rng.randrange(60, 180 * 24 * 60))
    placed = now - age
    order = Order(
        customer=customer,
        number=f"{line[0].upper()}26{placed:%m}-{n:06d}",
        line=line,
        city=customer.city,
        placed_at=placed,
        told_at=placed,
    )
    if line == "food":
        order.merchant = rng.choice(FOOD)
        order.amount_due = Decimal(rng.randrange(1800, 16000)) / 100
        order.promised_at = placed + timedelta(minutes=rng.choice((30, 38, 45, 60)))
        order.fulfilled_at = placed + timedelta(minutes=rng.randrange(22, 75))
        order.state = Order.State.COMPLETED
    else:
        order.merchant = rng.choice(HOTELS if line == "hotel" else TRIPS)
        order.amount_due = Decimal(rng.randrange(18000, 320000)) / 100
        order.starts_at = placed + timedelta(days=rng.randrange(1, 60), hours=rng.randrange(6, 20))
        order.due_at = placed + timedelta(days=rng.randrange(1, 20))
        order.state = Order.State.COMPLETED if order.starts_at < now else Order.State.CONFIRMED
        if order.due_at > now and rng.random() < 0.6:
            order.state = Order.State.PLACED
    if order.state != Order.State.PLACED:
        order.amount_paid = order.amount_due
    if rng.random() < CANCELLED:
        order.state = rng.choice((Order.State.CANCELLED, Order.State.REFUNDED))
        order.amount_refunded = order.amount_paid
        order.fulfilled_at = None
    return order


def _events(order: Order) -> list[tuple[str, datetime, dict[str, Any]]]:
    placed = order.placed_at or timezone.now()
    facts: dict[str, Any] = {"merchant": order.merchant, "amount": str(order.amount_due)}
    told = [("order_placed", placed, facts)]
    if order.amount_paid:
        name = "booking_confirmed" if order.line == Order.Line.HOTEL else "order_paid"
        told.append((name, placed + timedelta(minutes=2), facts))
    if order.fulfilled_at:
        told.append(("order_delivered", order.fulfilled_at, {"merchant": order.merchant}))
    if order.state in (Order.State.CANCELLED, Order.State.REFUNDED):
        told.append(("order_cancelled", placed + timedelta(minutes=9), {"merchant": order.merchant}))
    return told


def load_orders(rng: Random, ids: list[int]) -> int:
    """Make about two orders a customer and their events; return how many orders."""
    now = timezone.now()
    customers = list(Customer.objects.filter(pk__in=ids).order_by("pk"))
    # A few people order much more than the rest, as everywhere.
    weights = [rng.paretovariate(1.6) for _customer in customers]
    buyers = rng.choices(customers, weights, k=len(customers) * 2)
    orders = Order.objects.bulk_create(
        [_order(rng, now, n, customer) for n, customer in enumerate(buyers, start=1)], batch_size=1000
    )
    _tell(orders)
    latest = Order.objects.values("customer").annotate(at=Max("placed_at")).values_list("customer", "at")
    by_id = {customer.pk: customer for customer in customers}
    for customer_id, at in latest:
        if customer_id in by_id:
            by_id[customer_id].last_order_at = at
    Customer.objects.bulk_update(customers, ["last_order_at"], batch_size=1000)
    return len(orders)


def _tell(orders: list[Order]) -> None:
    rows = [
        Event(
            customer_id=order.customer_id,
            name=name,
            occurred_at=at,
            received_at=at,
            order_number=order.number,
            properties=facts,
            source="demo",
            message_id=f"demo-{order.number}-{name}",
        )
        for order in orders
        for name, at, facts in _events(order)
    ]
    Event.objects.bulk_create(rows, batch_size=2000)
    EventKey.objects.bulk_create(
        [EventKey(message_id=row.message_id, event_id=row.pk, received_at=row.received_at) for row in rows],
        batch_size=2000,
    )
