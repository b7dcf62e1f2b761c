"""The rules of the demo and the two texts that only they need."""

from datetime import time
from typing import Any

from notifyhub.customers.models import Topic
from notifyhub.messaging.models import Template
from notifyhub.messaging.services.templates import create_template, publish, save_content
from notifyhub.reminders.services import rules
from notifyhub.reminders.services.rules import RuleSpec, StepSpec
from notifyhub.staff.models import User

CART, LATE = "cart_changed", "晚到致歉"
GRACE = 12

TEXTS: tuple[tuple[str, str, str, str, dict[tuple[str, str], tuple[str, str]]], ...] = (
    (
        "cart-recall",
        "购物车提醒",
        "promotional",
        "food-deals",
        {
            ("push", "zh-hans"): ("还差一步", "{{ customer.name }}，您选的{{ event.item }}还在购物车里。"),
            ("push", "en"): (
                "One step to go",
                "{{ event.item }} is still in your cart, {{ customer.name }}.",
            ),
        },
    ),
    (
        "order-late",
        "晚到致歉",
        "transactional",
        "order-updates",
        {
            ("push", "zh-hans"): (
                "抱歉，晚了一点",
                "订单 {{ order.number }} 比预计晚了，骑手正在赶来，给您添麻烦了。",
            ),
            ("push", "en"): (
                "Sorry, it is late",
                "Order {{ order.number }} is late. The rider is on the way.",
            ),
        },
    ),
)

# name, start and its fields, chain, [(amount, unit, side, hour, template)], whether it is active
Plan = tuple[dict[str, Any], list[dict[str, Any]], tuple[tuple[int, str, str, int, str], ...], bool]
PUSH = {"channel": "push"}
RULES: tuple[Plan, ...] = (
    (
        {
            "name": "账单到期",
            "start": "order",
            "date_field": "due_at",
            "working_days": False,
            "holdout": 10,
            "subject_gap_hours": 12,
            "subject_max": 4,
        },
        [{**PUSH, "wait": 3600, "until": "delivered"}, {"channel": "sms"}],
        ((3, "days", "before", 10, "bill-due"), (1, "days", "before", 10, "bill-due")),
        True,
    ),
    (
        # What was completed since was not yet when the demo's reminders went out.
        {
            "name": "明日入住",
            "start": "order",
            "date_field": "starts_at",
            "lines": ["hotel"],
            "stop_states": ["placed", "cancelled", "refunded"],
        },
        [{"channel": "sms"}, {"channel": "wechat"}],
        ((1, "days", "before", 18, "stay-tomorrow"),),
        True,
    ),
    (
        {"name": "生日祝福", "start": "customer", "date_field": "birthday", "yearly": True},
        [PUSH],
        ((0, "days", "before", 9, "birthday"),),
        True,
    ),
    (
        {
            "name": "购物车提醒",
            "start": "event",
            "event_name": CART,
            "subject_property": "cart_id",
            "event_filters": [{"property": "total", "operator": "at_least", "value": 50}],
            "stop_events": ["cart_checked_out"],
            "goal_events": ["cart_checked_out"],
            "max_per_customer": 2,
            "max_days": 7,
            "send_from": time(9),
            "send_until": time(21),
        },
        [PUSH],
        ((1, "hours", "after", 10, "cart-recall"), (1, "days", "after", 19, "cart-recall")),
        True,
    ),
    (
        {"name": LATE, "start": "order", "date_field": "promised_at", "lines": ["food"], "grace_hours": 1},
        [PUSH],
        ((15, "minutes", "after", 10, "order-late"),),
        True,
    ),
    (
        {"name": "会员到期", "start": "customer", "date_field": "membership_ends"},
        [PUSH],
        ((30, "days", "before", 10, "member-ends"),),
        False,
    ),
)


def _make_texts() -> None:
    for key, name, message_class, topic, contents in TEXTS:
        first, *_others = contents
        made = create_template(
            key=key,
            name=name,
            message_class=message_class,
            topic=Topic.objects.get(code=topic),
            channel=first[0],
            language=first[1],
        )
        for place, ((channel, language), (subject, body)) in enumerate(contents.items()):
            save_content(
                template_id=made.pk,
                channel=channel,
                language=language,
                subject=subject,
                body=body,
                version=0 if place else 1,
            )
        publish(template_id=made.pk)


def make_rules(owner: User) -> None:
    """Make the rules and switch on all but the last."""
    _make_texts()
    templates = {template.key: template for template in Template.objects.all()}
    team = owner.memberships.get().team
    for fields, chain, steps, active in RULES:
        rule = rules.create_rule(
            data=RuleSpec(**{"grace_hours": GRACE, "owner_team": team, **fields}),
            steps=[
                StepSpec(
                    amount=n, unit=unit, side=side, at_time=time(hour), template=templates[key], chain=chain
                )
                for n, unit, side, hour, key in steps
            ],
            owner=owner,
        )
        if active:
            rules.activate_rule(rule_id=rule.pk)
