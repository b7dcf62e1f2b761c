"""Demo reminders: three rules at work for a week, one in the drawer, and what comes next.

The week is lived through in order: each day what was due goes out for real into the sandbox, then some
customers pay, and what they paid for stops. Only the times are moved afterwards.
"""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from random import Random
from typing import Any

from django.db import connection
from django.utils import timezone

from notifyhub.core.registry import demo_loaders
from notifyhub.customers.models import Order
from notifyhub.customers.services.events import EventIn, record_events
from notifyhub.messaging.demo.orders import bounce_empty_numbers
from notifyhub.messaging.demo.past import date_messages
from notifyhub.messaging.engine.foreground import drain_everything
from notifyhub.messaging.models import Template
from notifyhub.reminders.models import Reminder, ReminderRule
from notifyhub.reminders.services import rules
from notifyhub.reminders.services.planning import plan_reminders, stop_reminders
from notifyhub.reminders.services.rules import StepSpec
from notifyhub.reminders.services.sending import send_due_reminders
from notifyhub.staff.context import Actor, acting
from notifyhub.staff.models import User

OWNER = "linxia"
DAYS = 7
GRACE = 12
# What is not yet due on the day that is being lived through waits out here.
PARKED_SQL = "interval '1000 days'"

# name, date, profile field, business lines, stops, channels, [(amount, hour, template)], active
Plan = tuple[str, str, str, list[str], list[str], list[str], tuple[tuple[int, int, str], ...], bool]
RULES: tuple[Plan, ...] = (
    (
        "账单到期",
        "order.due_at",
        "",
        [],
        [],
        ["push", "sms"],
        ((3, 10, "bill-due"), (1, 10, "bill-due")),
        True,
    ),
    (
        "明日入住",
        "order.starts_at",
        "",
        ["hotel"],
        ["placed", "cancelled", "refunded"],
        ["sms", "wechat"],
        ((1, 18, "stay-tomorrow"),),
        True,
    ),
    ("生日祝福", "customer.date", "birthday", [], [], ["push"], ((0, 9, "birthday"),), True),
    ("会员到期", "customer.once", "membership_ends", [], [], ["push"], ((30, 10, "member-ends"),), False),
)


def _make_rules(owner: User) -> None:
    templates = {template.key: template for template in Template.objects.all()}
    team = owner.memberships.get().team
    for name, anchor, attribute, lines, stops, chain, steps, active in RULES:
        data: dict[str, Any] = {
            "name": name,
            "anchor": anchor,
            "attribute": attribute,
            "lines": lines,
            "chain": chain,
            "grace_hours": GRACE,
            "owner_team": team,
        }
        if stops:
            # What was completed since was not yet when the demo's reminders went out.
            data["stop_states"] = stops
        rule = rules.create_rule(
            data=data,
            steps=[
                StepSpec(amount=n, unit="days", side="before", at_time=time(hour), template=templates[key])
                for n, hour, key in steps
            ],
            owner=owner,
        )
        if active:
            rules.activate_rule(rule_id=rule.pk)


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


def _pay(payments: list[tuple[datetime, Order]]) -> None:
    result = record_events(
        [
            EventIn(
                message_id=f"demo-{order.number}-order_paid",
                name="order_paid",
                occurred_at=at,
                external_id=order.customer.external_id or "",
                order_number=order.number,
                properties={"merchant": order.merchant, "amount_paid": str(order.amount_due)},
                source="demo",
            )
            for at, order in payments
        ]
    )
    if result.problems:
        raise ValueError(result.problems)


def _unpark(until: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE reminders_reminder SET due_at = due_at - {PARKED_SQL} "
            f"WHERE state = 'planned' AND due_at - {PARKED_SQL} <= %s",
            [until],
        )


def _live(now: datetime) -> None:
    """Live through the week day by day; the times of what went out are moved at the end."""
    since = now - timedelta(days=DAYS)
    active = ReminderRule.objects.filter(state=ReminderRule.State.ACTIVE)
    active.update(activated_at=since, created_at=since - timedelta(days=40), grace_hours=DAYS * 24)
    plan_reminders()
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE reminders_reminder SET due_at = due_at + {PARKED_SQL} "
            "WHERE state = 'planned' AND due_at <= %s",
            [now],
        )
    payments = _payments(Random(20261118), now)
    for day in range(DAYS * 2):
        # Half days: whoever pays in the afternoon was reminded in the morning.
        until = since + timedelta(hours=12 * (day + 1))
        paid = [pair for pair in payments if pair[0] <= until]
        payments = payments[len(paid) :]
        _unpark(until)
        send_due_reminders()
        drain_everything()
        _pay(paid)
        stop_reminders()
        Reminder.objects.filter(state=Reminder.State.STOPPED, settled_at__gt=now).update(settled_at=until)
    active.update(grace_hours=GRACE)


def _date(now: datetime) -> None:
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
            "UPDATE reminders_reminder SET created_at = least(created_at, due_at - interval '6 days'), "
            f"due_at = CASE WHEN due_at > %(far)s THEN due_at - {PARKED_SQL} ELSE due_at END, "
            "settled_at = CASE WHEN state = 'dispatched' THEN due_at + interval '1 second' "
            "ELSE settled_at END",
            {"far": now + timedelta(days=DAYS * 2)},
        )


def load(say: Callable[[str], None]) -> None:
    """Make the rules, live through their week, and plan what is next."""
    owner = User.objects.get(username=OWNER)
    now = timezone.now()
    with acting(Actor(kind="staff", id=owner.pk, name=str(owner))):
        _make_rules(owner)
    _live(now)
    _date(now)
    ReminderRule.objects.update(planned_at=None)
    plan_reminders()
    by_state = {state: Reminder.objects.filter(state=state).count() for state in Reminder.State.values}
    say(
        f"4 reminder rules: {by_state['dispatched']:,} reminders sent, {by_state['stopped']:,} stopped, "
        f"{by_state['planned']:,} due within a week"
    )


def register() -> None:
    """Hand the loader to the registry."""
    demo_loaders.register("reminders", load, order=25)
