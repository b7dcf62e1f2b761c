"""What people looked at these days, a catalogue that knows what its events are for, and a few put aside."""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from django.db import connection
from django.utils import timezone

from notifyhub.customers.models import Customer, EventName, EventProperty
from notifyhub.customers.services.events import EventIn, record_events
from notifyhub.customers.services.events.catalogue import add_event_name, count_events
from notifyhub.customers.services.events.parking import Aside, put_aside

PURPOSES = {
    "order_placed": "An order came in; starts the reminder to pay.",
    "order_paid": "Money arrived; stops everything about the payment.",
    "order_delivered": "The rider or the hotel is done; starts the request for a review.",
    "product_viewed": "Somebody looked at a dish, a room or a trip.",
    "cart_changed": "The cart has something in it; starts the cart recall.",
}
SIGHTS = (
    ("红汤火锅套餐", 128),
    ("大床房", 398),
    ("外婆家双人餐", 158),
    ("上海—成都机票", 720),
    ("酸菜鱼", 68),
)
_AS_IT_HAPPENED = """
UPDATE customers_event SET received_at = occurred_at
WHERE message_id LIKE 'demo-seen-%' AND source = 'segment:demo'
"""


def load_events(say: Callable[[str], None]) -> None:
    """Make what people looked at, describe the catalogue and put a few events aside."""
    rng = Random(20261122)
    now = timezone.now()
    numbers = list(
        Customer.objects.filter(external_id__isnull=False)
        .order_by("pk")
        .values_list("external_id", flat=True)[:600]
    )
    told = []
    for n in range(2400):
        dish, price = rng.choice(SIGHTS)
        name = rng.choices(("page_viewed", "product_viewed", "cart_changed"), (5, 4, 2))[0]
        facts: dict[str, Any] = {"title": "首页", "platform": rng.choice(("ios", "android", "wechat"))}
        if name != "page_viewed":
            facts = {"product": dish, "price": price, "quantity": rng.randint(1, 3), "city": "上海"}
        at = now - timedelta(minutes=rng.randint(3, 60 * 24 * 14))
        told.append(
            EventIn(
                message_id=f"demo-seen-{n}",
                name=name,
                occurred_at=at,
                external_id=str(rng.choice(numbers)),
                properties=facts,
                source="segment:demo",
            )
        )
    record_events(told)
    with connection.cursor() as cursor:
        # They came as they happened, not all of them today.
        cursor.execute(_AS_IT_HAPPENED)
    _put_some_aside(now - timedelta(hours=2))
    add_event_name(name="bill_due", purpose="Will start the bill reminders once billing sends it.")
    # What was recorded an instant ago is left to the tick, which stays behind the clock.
    count_events()
    for name, purpose in PURPOSES.items():
        EventName.objects.filter(name=name).update(purpose=purpose)
    EventProperty.objects.filter(key="price").update(expected="number")
    say(
        f"{len(told):,} events of what people looked at, and a catalogue of {EventName.objects.count()} names"
    )


def _put_some_aside(at: datetime) -> None:
    visits = [
        {"message_id": f"demo-visit-{n}", "name": "page_viewed", "occurred_at": at.isoformat(),
         "anonymous_id": f"device-{n:04d}-7f3a", "properties": {"title": "火锅节", "platform": "wechat"}}
        for n in range(6)
    ]  # fmt: skip
    wrong = [
        {"message_id": "demo-wrong-1", "name": "order_paid", "occurred_at": at.isoformat(),
         "external_id": "C0000123", "properties": {"amount_paid": 58.5}},
        {"message_id": "demo-wrong-2", "name": "下单成功", "occurred_at": at.isoformat(),
         "external_id": "C0000456", "properties": {"商家": "外婆家", "金额": 158}},
        {"message_id": "demo-wrong-3", "name": "order_placed", "occurred_at": at.isoformat(),
         "external_id": "C0000789", "order_number": "F26112100789", "properties": {"amount_due": "about 6"}},
    ]  # fmt: skip
    reasons = ("order_number", "name", "properties.amount_due")
    put_aside(
        [
            *(Aside(why="anonymous", told=visit, source="segment:demo") for visit in visits),
            *(
                Aside(why="refused", told=told, source="segment:demo", field=field)
                for told, field in zip(wrong, reasons, strict=True)
            ),
        ]
    )
