"""Reminders: planning very many due rows, a tick with nothing to do, and an event answered at once."""

import random
import time
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from bench.codes import Stack, codes_for, now, wait_until
from bench.plan import timed
from bench.processes import say
from bench.table import Figure, measured, percentile
from bench.world import World
from notifyhub.customers.models import Customer, EventBookmark
from notifyhub.customers.services.events import EventIn, record_events
from notifyhub.messaging.models import Batch, DeliveryEvent, Dispatch, Template
from notifyhub.messaging.services.templates import create_template, publish, save_content
from notifyhub.reminders.models import Occasion, Reminder, ReminderRule
from notifyhub.reminders.services import rules
from notifyhub.reminders.services.following import follow_news
from notifyhub.reminders.services.planning import plan_reminders
from notifyhub.reminders.services.rules import RuleSpec, StepSpec
from notifyhub.reminders.services.sending import send_due_reminders

IDLE = 5

# Due over four days, none of them today; one in ten is paid.
_ORDERS = """
INSERT INTO customers_order (customer_id, number, line, merchant, city, state, currency, amount_due,
    amount_paid, amount_refunded, placed_at, due_at, told_at, told)
SELECT id, 'B' || id, 'hotel', 'Bench', 'Hangzhou', 'placed', 'CNY', 100,
       CASE WHEN id % 10 = 0 THEN 100 ELSE 0 END, 0, now(),
       now() + interval '2 days' + id % 345600 * interval '1 second', now(), '{}'
FROM customers_customer
"""


def _text() -> Template:
    made = create_template(
        key="bench-reminder",
        name="Bench reminder",
        message_class="transactional",
        topic=None,
        channel="email",
        language="zh-hans",
    )
    save_content(
        template_id=made.pk,
        channel="email",
        language="zh-hans",
        subject="{{ event.gate }}",
        body="{{ customer.name }}，{{ order.number }} {{ event.gate }}",
        version=1,
    )
    publish(template_id=made.pk)
    return made


def _rule(text: Template, step: dict[str, Any], **fields: Any) -> ReminderRule:
    rule = rules.create_rule(
        data=RuleSpec(**fields), steps=[StepSpec(template=text, chain=[{"channel": "email"}], **step)]
    )
    rules.activate_rule(rule_id=rule.pk)
    return rule


def _tick() -> None:
    plan_reminders()
    follow_news()
    send_due_reminders()


def _plan(world: World, text: Template) -> list[Figure]:
    with connection.cursor() as cursor:
        cursor.execute(_ORDERS)
        cursor.execute("VACUUM ANALYZE customers_order")
    unpaid = Customer.objects.count() * 9 // 10
    rule = _rule(
        text,
        {"amount": 1, "unit": "days", "side": "before"},
        name="Bill due",
        start="order",
        date_field="due_at",
    )
    say(f"Planning {unpaid:,} due rows.")
    seconds, database, program = timed(plan_reminders)
    made = Reminder.objects.filter(rule=rule, state="planned").count()
    assert abs(made - unpaid) < unpaid / 100 + 10, f"{made} rows for {unpaid} bills"
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE reminders_occasion, reminders_reminder")
    follow_news()
    idle = [timed(_tick)[0] for _ in range(IDLE)]
    say("The whole round once more.")
    ReminderRule.objects.update(planned_at=None)
    again = timed(plan_reminders)[0]
    assert Reminder.objects.filter(rule=rule).count() == made
    rate = 1_000_000 / made
    note = f"{made:,} rows"
    return [
        measured("plan a million due rows", [seconds * rate], "s", target=120, more=False, note=note),
        measured(
            "plan due rows, processor time a row", [(database + program) / made * 1e6], "µs", more=False
        ),
        measured("tick with nothing due", idle, "s", target=1, more=False, note=f"{note} to come"),
        measured("the hourly round over a million, nothing new", [again * rate], "s", more=False, note=note),
    ]


def _happen(count: int, *, apart: float, edition: int) -> list[float]:
    """Let so many events arrive; return the seconds of each until its message was handed over."""
    asked: dict[str, float] = {}
    for number, contact in enumerate(codes_for(count)):
        name = f"bench-{edition}-{number}"
        customer = Customer.objects.get(pk=contact.customer_id)
        asked[name] = now()
        record_events(
            [
                EventIn(
                    message_id=name,
                    name="gate_changed",
                    occurred_at=timezone.now(),
                    external_id=customer.external_id or "",
                    properties={"gate": "B12"},
                    source="bench",
                )
            ]
        )
        time.sleep(random.uniform(0.5, 1.5) * apart)
    rows = Reminder.objects.filter(subject_ref__startswith=f"event:bench-{edition}-", state="dispatched")

    def handed() -> bool:
        dispatches = [pk for pk in rows.values_list("dispatch_id", flat=True) if pk is not None]
        sent = DeliveryEvent.objects.filter(dispatch_id__in=dispatches, kind=DeliveryEvent.Kind.SENT)
        return len(dispatches) == count and sent.count() == count

    wait_until("the events to be answered", handed)
    subjects = dict(rows.values_list("dispatch_id", "subject_ref"))
    by_item = {row.pk: row.subject_ref.partition(":")[2] for row in rows}
    seconds = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT d.dedup_key, extract(epoch FROM e.at) FROM messaging_delivery d "
            "JOIN messaging_deliveryevent e ON e.dispatch_id = d.dispatch_id AND e.delivery_id = d.id "
            "WHERE d.dispatch_id = ANY(%s) AND e.kind = 'sent'",
            [list(subjects)],
        )
        for item, at in cursor.fetchall():
            seconds.append(float(at) - asked[by_item[item]])
    return seconds


def run(world: World) -> list[Figure]:
    """Return the figures of reminders."""
    text = _text()
    figures = _plan(world, text)
    _rule(
        text,
        {"amount": 0, "unit": "minutes", "side": "after"},
        name="Gate changed",
        start="event",
        event_name="gate_changed",
    )
    EventBookmark.objects.filter(name="reminders").update(upto=timezone.now() - timedelta(seconds=1))
    world.use("smtp")
    size = world.size
    stack = Stack()
    try:
        say("Events answered at once, nothing else to do.")
        _happen(3, apart=0.5, edition=0)
        calm = _happen(size.codes, apart=0.05, edition=1)
        say(f"Events beside a campaign to {size.campaign:,}.")
        dispatch = world.accept(world.audience(size.campaign), world.edition())
        wait_until("the campaign to begin", Batch.objects.filter(dispatch=dispatch, sent__gt=0).exists)
        busy = _happen(size.codes, apart=0.05, edition=2)
        overlapped = Batch.objects.filter(dispatch=dispatch).exclude(state=Batch.State.DONE).exists()
        running = Dispatch.objects.filter(pk=dispatch.pk, state=Dispatch.State.RUNNING)
        wait_until("the campaign to end", lambda: not running.exists())
    finally:
        stack.close()
    ReminderRule.objects.update(state="paused")
    Reminder.objects.all().delete()
    Occasion.objects.all().delete()
    note = f"{len(busy)} events" + ("" if overlapped else "; the campaign ended first")
    return [
        *figures,
        measured("event to handed over, alone, p50", [percentile(calm, 0.5)], "s", more=False),
        measured("event to handed over, alone, p99", [percentile(calm, 0.99)], "s", more=False),
        measured("event to handed over beside a campaign, p50", [percentile(busy, 0.5)], "s", more=False),
        measured(
            "event to handed over beside a campaign, p99",
            [percentile(busy, 0.99)],
            "s",
            target=3,
            more=False,
            note=note,
        ),
    ]
