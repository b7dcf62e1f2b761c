"""Portraits of everybody, by the one statement and by a loop of the same formulas; and our own events."""

import time
from collections import defaultdict
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from bench.baselines.python_traits import portrait
from bench.processes import say
from bench.table import Figure, measured
from bench.world import World
from notifyhub.customers.models import Customer, CustomerTrait, Event, Order, TraitBlock
from notifyhub.customers.services.traits import read_settings, refresh_customers, refresh_due_blocks
from notifyhub.customers.services.traits.refreshing import BLOCK
from notifyhub.messaging.models import Bookmark
from notifyhub.messaging.services import telling

# With ten million customers the round of a day is then twenty minutes of one core.
MILLION_SECONDS = 120.0

# Three orders a customer on average: a quarter have none, a few have many.
ORDERS = """
INSERT INTO customers_order (customer_id, number, line, merchant, city, state, currency, amount_due,
    amount_paid, amount_refunded, placed_at, told_at, told)
SELECT c.id, 'B' || c.id || '-' || n, (ARRAY['food', 'food', 'food', 'hotel', 'travel'])[1 + (c.id + n) %% 5],
       '商家' || (c.id * 7 + n / 2) %% 5000, '城市' || c.id %% 200,
       CASE WHEN (c.id + n) %% 20 = 0 THEN 'cancelled' ELSE 'completed' END, 'CNY', a, a, 0, p, p, '{}'
FROM customers_customer c
CROSS JOIN generate_series(1, CASE WHEN c.id %% 50 = 0 THEN 30 ELSE (c.id %% 4 * 1.6)::int END) n
CROSS JOIN LATERAL (SELECT 20 + (c.id * 13 + n * 77) %% 300 AS a,
    now() - ((c.id * 31 + n * 7919) %% 525600) * interval '1 minute' AS p) q
"""
EVENTS = """
INSERT INTO customers_event (received_at, occurred_at, customer_id, name, properties, source, message_id)
SELECT p, p, c.id, CASE WHEN n = 3 THEN 'cart_updated' ELSE 'message_clicked' END,
       jsonb_build_object('channel', (ARRAY['push', 'sms', 'email'])[1 + (c.id + n / 2) %% 3],
                          'delivery', c.id * 10 + n, 'dispatch', n, 'origin', 'campaign:1'),
       CASE WHEN n = 3 THEN 'shop' ELSE 'own' END, 'B' || c.id || '-' || n
FROM customers_customer c CROSS JOIN generate_series(1, 4) n
CROSS JOIN LATERAL (SELECT now() - ((c.id * 17 + n * 104729) %% 250000) * interval '1 minute' AS p) q
WHERE c.id %% 2 = 0
"""
REPORTS = """
INSERT INTO messaging_deliveryevent (at, dispatch_id, delivery_id, kind, told_at)
SELECT now() - interval '1 hour', d.dispatch_id, d.id, %(kind)s, now() - interval '1 minute'
FROM messaging_delivery d WHERE d.dispatch_id = %(dispatch)s AND d.state = 0 ORDER BY d.id LIMIT %(rows)s
"""


def fill(world: World) -> None:
    """Give the customers of the world orders and reactions, once."""
    if Order.objects.filter(number__startswith="B").exists():
        return
    say("Giving them orders and reactions.")
    with connection.cursor() as cursor:
        cursor.execute(ORDERS, {})
        cursor.execute(EVENTS, {})
        cursor.execute("VACUUM ANALYZE customers_order, customers_event")


def prepare(world: World) -> None:
    """Make sure that everybody has a portrait."""
    fill(world)
    if CustomerTrait.objects.count() < world.people:
        say("Computing portraits.")
        refresh_all()


def refresh_all() -> float:
    """Compute every block; return the seconds it took."""
    TraitBlock.objects.update(refreshed_at=None)
    began = time.perf_counter()
    refresh_due_blocks(seconds=float("inf"))
    return time.perf_counter() - began


def run(world: World) -> list[Figure]:
    """Return the figures of the portraits, and of one message's event."""
    fill(world)
    say("Computing portraits.")
    first = refresh_all()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE customers_customertrait")
    again = [refresh_all() for _round in range(world.size.rounds)]
    everybody = Customer.objects.count()
    note = f"{everybody:,} customers, {Order.objects.count():,} orders, {BLOCK:,} a statement"
    scale = 1_000_000 / everybody
    loop = [_loop(min(5_000, everybody), offset * 5_000) for offset in range(world.size.rounds)]
    rates = [everybody / seconds for seconds in again]
    figures = [
        measured("portraits, made the first time", [first], "s", note=note),
        measured(
            "portraits, everybody again, for a million",
            [seconds * scale for seconds in again],
            "s",
            target=MILLION_SECONDS,
            more=False,
        ),
        measured(
            "portraits a second",
            rates,
            "/s",
            baselines=loop,
            against="Python loop, five queries for 1,000",
            target=5,
        ),
        measured("portraits of 1,000 with news", _news(world), "ms"),
    ]
    return [*figures, *_own_events(world)]


def _loop(people: int, after: int) -> float:
    """Return how many portraits a second a loop makes, writing them included."""
    given, began, done = read_settings(), time.perf_counter(), 0
    ids = list(Customer.objects.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:people])
    for start in range(0, len(ids), 1000):
        chunk = ids[start : start + 1000]
        customers = Customer.objects.in_bulk(chunk)
        orders: dict[int, list[Order]] = defaultdict(list)
        events: dict[int, list[Event]] = defaultdict(list)
        for order in Order.objects.filter(customer_id__in=chunk):
            orders[order.customer_id].append(order)
        for event in Event.objects.filter(customer_id__in=chunk):
            events[event.customer_id].append(event)
        now = timezone.now()
        rows = [
            CustomerTrait(
                customer_id=pk, computed_at=now, **portrait(one, orders[pk], events[pk], given, now)
            )
            for pk, one in customers.items()
        ]
        names = [f.name for f in CustomerTrait._meta.concrete_fields if not f.primary_key]
        CustomerTrait.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["customer"], update_fields=names
        )
        done += len(rows)
    return done / (time.perf_counter() - began)


def _news(world: World) -> list[float]:
    times = []
    for turn in range(world.size.rounds):
        ids = list(Customer.objects.filter(pk__gt=turn * 997).values_list("pk", flat=True)[:1000])
        began = time.perf_counter()
        refresh_customers(ids=ids)
        times.append((time.perf_counter() - began) * 1e3)
    return times


def _own_events(world: World) -> list[Figure]:
    """Return what an event of a message costs the tick; sending and receipts write nothing for it."""
    rows = min(20_000, world.people // 2)
    costs = []
    for _round in range(world.size.rounds):
        dispatch = world.campaign(rows)
        world.park(dispatch)
        with connection.cursor() as cursor:
            cursor.execute(REPORTS, {"kind": "clicked", "dispatch": dispatch.pk, "rows": rows})
        Bookmark.objects.update_or_create(
            name=telling.BOOKMARK, defaults={"upto": timezone.now() - timedelta(minutes=2)}
        )
        began = time.perf_counter()
        told = telling.tell_own_events(upto=timezone.now())
        costs.append((time.perf_counter() - began) * 1e6 / max(told, 1))
    idle = time.perf_counter()
    telling.tell_own_events(upto=timezone.now())
    nothing: Any = (time.perf_counter() - idle) * 1e3
    return [
        measured("own event of a message, told by the tick", costs, "µs", note=f"{rows:,} clicks at once"),
        measured("own events, a tick with nothing new", [nothing], "ms"),
    ]
