"""Orders of three business lines, and the events that told us of them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from django.db import connection
from django.utils import timezone

from notifyhub.customers.models import Customer, Event, Order

FOOD = ("老城火锅", "福记粥铺", "渔人烧烤", "一碗面馆", "春和小笼", "青椒小炒", "南门糖水铺", "海胆屋")
HOTELS = ("海棠湾花园酒店", "西湖云栖客栈", "外滩江景酒店", "锦里庭院", "大雁塔国际酒店", "白云宾馆")
TRIPS = ("杭州 → 三亚", "上海 → 成都", "北京 → 西安", "广州 → 武汉", "深圳 → 乌鲁木齐")
CANCELLED = 0.05
CHECK_IN = (14, 0)
DEPARTURES = ((7, 35), (9, 20), (13, 5), (18, 40))
PAY_BY = (20, 0)
# At which hour somebody eats who ordered at a random one: noon and evening, and a few at night.
MEALS = (23, 0, 12, 12, 18, 19, 8, 8, 12, 12, 11, 11, 12, 12, 13, 18, 18, 18, 19, 19, 20, 20, 21, 22)
# What was due this week is paid when the reminders of the demo have gone out.
STILL_UNPAID = timedelta(days=8)


_LAST_ORDERS = """
UPDATE customers_customer c SET last_order_at = o.at
FROM (SELECT customer_id, max(placed_at) AS at FROM customers_order GROUP BY customer_id) o
WHERE o.customer_id = c.id
"""
_KEYS = """
INSERT INTO customers_eventkey (message_id, event_id, received_at)
SELECT message_id, id, received_at FROM customers_event WHERE source = 'demo'
"""


def _at(moment: datetime, hour: int, minute: int) -> datetime:
    return timezone.localtime(moment).replace(hour=hour, minute=minute, second=0, microsecond=0)


def _at_meal(moment: datetime, now: datetime) -> datetime:
    local = timezone.localtime(moment)
    meal = local.replace(hour=MEALS[local.hour])
    return meal if meal < now - timedelta(hours=1) else moment


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
        placed = order.placed_at = order.told_at = _at_meal(placed, now)
        order.merchant = rng.choice(FOOD)
        order.amount_due = Decimal(rng.randrange(1800, 16000)) / 100
        order.promised_at = placed + timedelta(minutes=rng.choice((30, 38, 45, 60)))
        order.fulfilled_at = placed + timedelta(minutes=rng.randrange(22, 75))
        order.state = Order.State.COMPLETED
    else:
        order.merchant = rng.choice(HOTELS if line == "hotel" else TRIPS)
        order.amount_due = Decimal(rng.randrange(18000, 320000)) / 100
        days = rng.randrange(2, 60)
        order.starts_at = _at(
            placed + timedelta(days=days), *(CHECK_IN if line == "hotel" else rng.choice(DEPARTURES))
        )
        # Paid later, but before it begins.
        order.due_at = _at(placed + timedelta(days=rng.randrange(1, min(days, 20))), *PAY_BY)
        order.state = Order.State.COMPLETED if order.starts_at < now else Order.State.CONFIRMED
        if order.starts_at > now and order.due_at > now - STILL_UNPAID and rng.random() < 0.6:
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


def load_orders(rng: Random, ids: list[int], *, besides: Sequence[Order] = ()) -> int:
    """Make about two orders a customer, and those given, with their events; return how many orders."""
    now = timezone.now()
    customers = list(Customer.objects.filter(pk__in=ids).order_by("pk"))
    # A few people order much more than the rest, as everywhere.
    weights = [rng.paretovariate(1.6) for _customer in customers]
    buyers = rng.choices(customers, weights, k=len(customers) * 2)
    orders = Order.objects.bulk_create(
        [*(_order(rng, now, n, customer) for n, customer in enumerate(buyers, start=1)), *besides],
        batch_size=1000,
    )
    _tell(orders)
    with connection.cursor() as cursor:
        cursor.execute(_LAST_ORDERS)
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
    with connection.cursor() as cursor:
        cursor.execute(_KEYS)
