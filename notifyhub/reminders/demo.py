"""Demo reminders: three rules at work for a week, one in the drawer, and what comes next.

The week is lived through in order: each half day is planned and sent for real into the sandbox as of that
time, then some customers pay, and what they paid for stops. Only the messages are dated afterwards.
"""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from random import Random
from typing import Any

from django.db.models import F, OuterRef, Subquery
from django.utils import timezone

from notifyhub.core.registry import demo_loaders
from notifyhub.customers.models import Order
from notifyhub.customers.services.events import EventIn, record_events
from notifyhub.messaging.demo.orders import bounce_empty_numbers
from notifyhub.messaging.demo.past import date_messages
from notifyhub.messaging.engine.foreground import drain_everything
from notifyhub.messaging.models import Template
from notifyhub.reminders.models import Occasion, Reminder, ReminderRule, RuleVersion
from notifyhub.reminders.services import rules
from notifyhub.reminders.services.planning import plan_reminders
from notifyhub.reminders.services.rules import RuleSpec, StepSpec
from notifyhub.reminders.services.sending import send_due_reminders
from notifyhub.staff.context import Actor, acting
from notifyhub.staff.models import User

OWNER = "linxia"
DAYS = 7
GRACE = 12
PUSH: list[dict[str, Any]] = [{"channel": "push"}]
SMS: list[dict[str, Any]] = [{"channel": "sms"}]
PUSH_SMS: list[dict[str, Any]] = [{"channel": "push"}, {"channel": "sms"}]
DAY_HOURS = {"send_from": time(9), "send_until": time(21)}

# What was completed since was not yet when the demo's reminders went out, so it stops nothing here.
# rule, steps as (days, side, hour, chain, template), active
Plan = tuple[dict[str, Any], tuple[tuple[int, str, int, list[dict[str, Any]], str], ...], bool]
RULES: tuple[Plan, ...] = (
    (
        {
            "name": "账单到期",
            "start": "order",
            "date_field": "due_at",
            "holdout": 10,
            "subject_gap_hours": 20,
            "subject_max": 5,
            **DAY_HOURS,
        },
        (
            (3, "before", 10, PUSH_SMS, "bill-due"),
            (1, "before", 10, PUSH_SMS, "bill-due"),
            (1, "after", 10, SMS, "bill-due"),
        ),
        True,
    ),
    (
        {
            "name": "明日入住",
            "start": "order",
            "date_field": "starts_at",
            "lines": ["hotel"],
            "stop_states": ["placed", "cancelled", "refunded"],
        },
        ((1, "before", 18, [{"channel": "sms"}, {"channel": "wechat"}], "stay-tomorrow"),),
        True,
    ),
    (
        {"name": "生日祝福", "start": "customer", "date_field": "birthday", "yearly": True},
        ((0, "before", 9, PUSH, "birthday"),),
        True,
    ),
    (
        {
            "name": "会员到期",
            "start": "customer",
            "date_field": "membership_ends",
            "stop_events": ["membership_renewed"],
            "goal_events": ["membership_renewed"],
        },
        ((30, "before", 10, PUSH, "member-ends"), (7, "before", 10, PUSH, "member-ends")),
        False,
    ),
)


def _make_rules(owner: User) -> None:
    templates = {template.key: template for template in Template.objects.all()}
    team = owner.memberships.get().team
    for data, steps, active in RULES:
        rule = rules.create_rule(
            data=RuleSpec(grace_hours=GRACE, owner_team=team, **data),
            steps=[
                StepSpec(
                    amount=n, unit="days", side=side, at_time=time(hour), chain=chain, template=templates[key]
                )
                for n, side, hour, chain, key in steps
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


def _live(now: datetime) -> None:
    """Live through the week by half days: whoever pays in the afternoon was reminded in the morning."""
    since = now - timedelta(days=DAYS)
    active = ReminderRule.objects.filter(state=ReminderRule.State.ACTIVE)
    active.update(activated_at=since, created_at=since - timedelta(days=40))
    # The orders are told all at once here, so nothing that came due in the week is late.
    RuleVersion.objects.filter(rule__in=active).update(grace_hours=DAYS * 24)
    payments = _payments(Random(20261118), now)
    for half in range(DAYS * 2):
        until = since + timedelta(hours=12 * (half + 1))
        active.update(planned_at=None)
        plan_reminders(now=until)
        send_due_reminders(now=until)
        drain_everything()
        _pay([pair for pair in payments if pair[0] <= until])
        payments = [pair for pair in payments if pair[0] > until]
    RuleVersion.objects.filter(rule__in=active).update(grace_hours=GRACE)


def _date() -> None:
    """Give what went out the times at which it was due."""
    sent = Reminder.objects.filter(state=Reminder.State.DISPATCHED)
    times = {
        (dispatch_id, pk): due_at
        for dispatch_id, pk, due_at in sent.values_list("dispatch_id", "pk", "due_at")
        if dispatch_id is not None
    }
    date_messages(times)
    bounce_empty_numbers({dispatch_id for dispatch_id, _item in times})
    sent.update(settled_at=F("due_at") + timedelta(seconds=1))
    began = Occasion.objects.filter(pk=OuterRef("occasion")).values("started_at")
    Reminder.objects.filter(created_at__gt=F("due_at")).update(created_at=Subquery(began))


def load(say: Callable[[str], None]) -> None:
    """Make the rules, live through their week, and plan what is next."""
    owner = User.objects.get(username=OWNER)
    now = timezone.now()
    with acting(Actor(kind="staff", id=owner.pk, name=str(owner))):
        _make_rules(owner)
    _live(now)
    _date()
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
