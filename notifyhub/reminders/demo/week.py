"""The week that the demo's reminders have been through."""

from datetime import datetime, timedelta
from random import Random

from django.db import connection

from notifyhub.customers.models import Customer, Order
from notifyhub.customers.services.events import EventIn, record_events
from notifyhub.messaging.demo.orders import bounce_empty_numbers
from notifyhub.messaging.demo.past import date_messages
from notifyhub.messaging.engine.foreground import drain_everything
from notifyhub.reminders.demo.rules import CART, GRACE, LATE
from notifyhub.reminders.models import Reminder, ReminderRule
from notifyhub.reminders.services.following.starting import start_rule
from notifyhub.reminders.services.planning import plan_reminders
from notifyhub.reminders.services.sending import send_due_reminders

DAYS = 7
CARTS = 60
ITEMS = ("双人火锅套餐", "虾饺皇", "招牌烤鱼", "小笼两屉", "杨枝甘露")
LATE_ORDERS = 4


def _payments(rng: Random, now: datetime) -> list[tuple[datetime, Order]]:
    """Return who pays when, of the orders that are due this week: most in time, all of them in the end."""
    unpaid = Order.objects.filter(
        placed_at__isnull=False,
        state=Order.State.PLACED,
        due_at__gt=now - timedelta(days=DAYS + 1),
        due_at__lt=now + timedelta(days=3),
    ).select_related("customer")
    paid: list[tuple[datetime, Order]] = []
    for order in unpaid.order_by("pk"):
        earliest = (order.placed_at or now) + timedelta(minutes=20)
        before = (order.due_at or now) - timedelta(minutes=rng.randrange(60, 80 * 60))
        paid.append((max(before, earliest), order))
    return sorted((pair for pair in paid if pair[0] < now), key=lambda pair: pair[0])


def _event(customer: Customer, name: str, at: datetime, order: str = "", **said: object) -> EventIn:
    return EventIn(
        message_id=f"demo-{name}-{order or said.get('cart_id')}",
        name=name,
        occurred_at=at,
        external_id=customer.external_id or "",
        order_number=order,
        properties=dict(said),
        source="demo",
    )


def _tell(events: list[EventIn]) -> None:
    """Take the events in as if each had been told when it occurred."""
    result = record_events(events)
    if result.problems:
        raise ValueError(result.problems)
    names = [event.message_id for event in events]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE customers_event SET received_at = least(received_at, occurred_at + interval '1 second') "
            "WHERE message_id = ANY(%s)",
            [names],
        )


def _carts(rng: Random, now: datetime) -> list[EventIn]:
    """Return filled carts over the week; a third is checked out, some before anybody is reminded."""
    people = list(Customer.objects.filter(state="active", external_id__isnull=False).order_by("pk")[:400])
    events = []
    for number in range(CARTS):
        customer = rng.choice(people)
        at = now - timedelta(minutes=rng.randrange(40, DAYS * 24 * 60 - 60))
        cart = f"C26-{number:04d}"
        total = rng.randrange(3000, 30000) / 100
        events.append(_event(customer, CART, at, cart_id=cart, item=rng.choice(ITEMS), total=total))
        bought = at + timedelta(minutes=rng.randrange(10, 2000))
        if number % 3 == 0 and bought < now:
            events.append(_event(customer, "cart_checked_out", bought, cart_id=cart, total=total))
    return sorted(events, key=lambda event: event.occurred_at)


def _late_orders(rng: Random, now: datetime) -> list[EventIn]:
    """Return meals that are under way still, later than promised or about to be."""
    people = list(
        Customer.objects.filter(state="active", external_id__isnull=False).order_by("-pk")[:LATE_ORDERS]
    )
    events = []
    for number, customer in enumerate(people):
        promised = now + timedelta(minutes=20 * number - 35)
        placed = promised - timedelta(minutes=40)
        said = {
            "line": "food",
            "merchant": "渔人烧烤",
            "amount_due": "68.00",
            "promised_at": promised.isoformat(),
        }
        order = f"F26L-{number:04d}"
        events += [
            _event(customer, "order_placed", placed, order, **said),
            _event(customer, "order_picked_up", placed + timedelta(minutes=15), order),
        ]
    return events


def live(now: datetime) -> None:
    """Live through the week by half days: whoever pays in the afternoon was reminded in the morning."""
    rng = Random(20261118)
    since = now - timedelta(days=DAYS)
    active = ReminderRule.objects.filter(state=ReminderRule.State.ACTIVE)
    active.update(activated_at=since, created_at=since - timedelta(days=40))
    _graces(DAYS * 24)
    cart_rule = ReminderRule.objects.select_related("live").get(live__event_name=CART)
    carts = _carts(rng, now)
    _tell(_late_orders(rng, now))
    payments = _payments(rng, now)
    before = since - timedelta(days=1)
    for half in range(DAYS * 2):
        until = since + timedelta(hours=12 * (half + 1))
        paid = [pair for pair in payments if pair[0] <= until]
        payments = payments[len(paid) :]
        filled = [event for event in carts if event.occurred_at <= until]
        carts = carts[len(filled) :]
        if filled:
            _tell(filled)
        cart_rule.refresh_from_db()
        start_rule(
            cart_rule,
            now=until,
            which="e.occurred_at > %(before)s AND e.occurred_at <= %(until)s",
            params={"before": before, "until": until},
        )
        before = until
        active.update(planned_at=None)
        plan_reminders(now=until)
        send_due_reminders(now=until)
        drain_everything()
        if paid:
            _tell(
                [
                    _event(
                        order.customer,
                        "order_paid",
                        at,
                        order.number,
                        merchant=order.merchant,
                        amount_paid=str(order.amount_due),
                    )
                    for at, order in paid
                ]
            )
    active.update(planned_at=None)
    plan_reminders(now=now)
    _graces(GRACE)


def _graces(hours: int) -> None:
    """Nothing of the week is too late, for half a day of it passes at once."""
    for rule in ReminderRule.objects.select_related("live").exclude(name=LATE):
        if rule.live is not None:
            rule.live.grace_hours = hours
            rule.live.save(update_fields=["grace_hours"])


def date_what_was_sent() -> None:
    """Give messages and rows the times at which they would have gone, had the week been a week."""
    sent = Reminder.objects.filter(state=Reminder.State.DISPATCHED)
    times = {
        (dispatch_id, pk): due_at
        for dispatch_id, pk, due_at in sent.values_list("dispatch_id", "pk", "due_at")
        if dispatch_id is not None
    }
    date_messages(times)
    bounce_empty_numbers({dispatch_id for dispatch_id, _item in times})
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE reminders_reminder SET created_at = least(created_at, due_at - interval '1 hour'), "
            "settled_at = CASE WHEN state = 'dispatched' THEN due_at + interval '1 second' "
            "ELSE settled_at END"
        )
