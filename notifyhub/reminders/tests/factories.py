"""The least valid rows of reminders."""

from datetime import datetime, time, timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from notifyhub.customers.models import Customer, Order
from notifyhub.messaging.models import Template
from notifyhub.messaging.services.templates import create_template, publish, save_content
from notifyhub.reminders.models import ReminderRule
from notifyhub.reminders.services import rules
from notifyhub.reminders.services.rules import StepSpec

_numbers = count(1)

BODY = "{{ customer.name }}, {{ order.number }} is due {{ order.due_at }}."


def make_text(*channels: str, body: str = BODY, published: bool = True) -> Template:
    """Return a transactional template with the same body on each channel, published unless told otherwise."""
    channels = channels or ("sms",)
    n = next(_numbers)
    template = create_template(
        key=f"reminder-text-{n}",
        name=f"Reminder text {n}",
        message_class="transactional",
        topic=None,
        channel=channels[0],
        language="en",
    )
    for place, channel in enumerate(channels):
        save_content(
            template_id=template.pk,
            channel=channel,
            language="en",
            subject="Reminder",
            body=body,
            version=0 if place else 1,
        )
    if published:
        publish(template_id=template.pk)
    return template


def spec(amount: int = 3, unit: str = "days", side: str = "before", **fields: Any) -> StepSpec:
    """Return a step as typed; the template is a new one unless given."""
    fields.setdefault("at_time", time(10, 0))
    if "template" not in fields:
        fields["template"] = make_text()
    return StepSpec(amount=amount, unit=unit, side=side, **fields)


def make_rule(
    *steps: StepSpec, active: bool = True, since: datetime | None = None, **fields: Any
) -> ReminderRule:
    """Return a rule with steps; `since` puts its activation back, so that what was due by then is its own."""
    data = {"name": "Bill due", "anchor": "order.due_at", "chain": ["sms"], "grace_hours": 12, **fields}
    rule = rules.create_rule(data=data, steps=steps or [spec()])
    if active:
        rules.activate_rule(rule_id=rule.pk)
        ReminderRule.objects.filter(pk=rule.pk).update(
            activated_at=since or timezone.now() - timedelta(days=30)
        )
    rule.refresh_from_db()
    return rule


def make_order(customer: Customer, **fields: Any) -> Order:
    """Return a placed order of the customer."""
    fields.setdefault("number", f"H2611-{next(_numbers):05d}")
    fields.setdefault("line", "hotel")
    return Order.objects.create(customer=customer, told_at=timezone.now(), **fields)
