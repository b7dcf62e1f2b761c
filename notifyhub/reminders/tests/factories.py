"""The least valid rows of reminders."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from notifyhub.customers.models import Customer, Order
from notifyhub.customers.services.events import EventIn, record_events
from notifyhub.messaging.models import Template
from notifyhub.messaging.services.templates import create_template, publish, save_content
from notifyhub.reminders.models import ReminderRule
from notifyhub.reminders.services import rules
from notifyhub.reminders.services.planning import plan_reminders
from notifyhub.reminders.services.rules import RuleSpec, StepSpec

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


def spec(
    amount: int = 3,
    unit: str = "days",
    side: str = "before",
    *,
    channels: Sequence[str] = ("sms",),
    **more: Any,
) -> StepSpec:
    """Return a step as typed; the template is a new one unless given."""
    more.setdefault("chain", [{"channel": channel} for channel in channels])
    if "template" not in more:
        more["template"] = make_text(*channels)
    return StepSpec(amount=amount, unit=unit, side=side, **more)


def rule_spec(**more: Any) -> RuleSpec:
    """Return a rule as typed, counting from the payment's due date unless told otherwise."""
    data: dict[str, Any] = {"name": "Bill due", "start": "order", "grace_hours": 12, **more}
    if data["start"] == "order":
        data.setdefault("date_field", "due_at")
    return RuleSpec(**{one.name: data[one.name] for one in fields(RuleSpec) if one.name in data})


def make_rule(
    *steps: StepSpec, active: bool = True, since: datetime | None = None, **more: Any
) -> ReminderRule:
    """Return a rule with steps; `since` puts its activation back, so that what was due by then is its own."""
    rule = rules.create_rule(data=rule_spec(**more), steps=steps or [spec()])
    if active:
        rules.activate_rule(rule_id=rule.pk)
        ReminderRule.objects.filter(pk=rule.pk).update(
            activated_at=since or timezone.now() - timedelta(days=30)
        )
    rule.refresh_from_db()
    return rule


def change_rule(rule: ReminderRule, *steps: StepSpec, **more: Any) -> ReminderRule:
    """Save the rule with other steps or fields, as its page does; return it."""
    rule = ReminderRule.objects.select_related("live").get(pk=rule.pk)
    data = rules.spec_of(rule)
    values = {one.name: getattr(data, one.name) for one in fields(RuleSpec)} | more
    lines = steps or rules.step_specs_of(rule.live.steps.all())
    return rules.update_rule(rule_id=rule.pk, data=RuleSpec(**values), steps=lines, version=rule.version)


def make_order(customer: Customer, **more: Any) -> Order:
    """Return a placed order of the customer."""
    more.setdefault("number", f"H2611-{next(_numbers):05d}")
    more.setdefault("line", "hotel")
    return Order.objects.create(customer=customer, told_at=timezone.now(), **more)


def tell(
    customer: Customer,
    name: str,
    *,
    at: datetime | None = None,
    order: str = "",
    message_id: str = "",
    **properties: Any,
) -> str:
    """Take in one event of the customer, as the platform would tell it; return its message id."""
    message_id = message_id or f"event-{next(_numbers)}"
    result = record_events(
        [
            EventIn(
                message_id=message_id,
                name=name,
                occurred_at=at or timezone.now(),
                external_id=customer.external_id or "",
                order_number=order,
                properties=properties,
                source="test",
            )
        ]
    )
    assert not result.problems, result.problems
    return message_id


def plan() -> int:
    """Plan every active rule as a whole round does; return how many due rows changed."""
    ReminderRule.objects.update(planned_at=None)
    return plan_reminders()
