"""Demo rules over the demo's orders and birthdays: some reminders planned, some sent, some stopped."""

from collections.abc import Callable
from datetime import time, timedelta
from typing import Any

from django.utils import timezone

from notifyhub.core.registry import demo_loaders
from notifyhub.messaging.engine.foreground import drain_everything
from notifyhub.messaging.models import Template
from notifyhub.reminders.models import Reminder, ReminderRule, ReminderStep
from notifyhub.reminders.services import rules
from notifyhub.reminders.services.planning import plan_reminders
from notifyhub.reminders.services.rules import StepSpec
from notifyhub.reminders.services.sending import send_due_reminders
from notifyhub.staff.models import Team, User

OWNER = "linxia"
# name, what it counts from, template, channels, (amount, unit, hour of the day) before; and further fields
RULES: tuple[tuple[str, str, str, list[str], tuple[tuple[int, str, int], ...], dict[str, Any]], ...] = (
    ("账单到期", "order.due_at", "bill-due", ["push", "sms"], ((3, "days", 10), (1, "days", 18)), {}),
    (
        "明日出行",
        "order.starts_at",
        "stay-tomorrow",
        ["push", "sms", "email"],
        ((1, "days", 18), (3, "hours", 10)),
        {"lines": ["hotel", "travel"]},
    ),
    ("生日祝福", "customer.date", "birthday", ["push"], ((0, "days", 9),), {"attribute": "birthday"}),
)
# Long enough for the demo to have something that was due already.
GRACE_HOURS = 24


def load(say: Callable[[str], None]) -> None:
    """Make and activate the rules, and send what is due by now."""
    owner = User.objects.get(username=OWNER)
    team = Team.objects.filter(memberships__user=owner).first()
    texts = {template.key: template for template in Template.objects.all()}
    for name, anchor, key, chain, steps, further in RULES:
        data = {
            "name": name,
            "anchor": anchor,
            "chain": chain,
            "grace_hours": GRACE_HOURS,
            "owner_team": team,
        }
        specs = [
            StepSpec(
                amount=amount,
                unit=unit,
                side=ReminderStep.Side.BEFORE,
                at_time=time(hour),
                template=texts[key],
            )
            for amount, unit, hour in steps
        ]
        rule = rules.create_rule(data={**data, **further}, steps=specs, owner=owner)
        rules.activate_rule(rule_id=rule.pk)
    # As if they had been active for a while: otherwise nothing would be due on the first day.
    ReminderRule.objects.update(activated_at=timezone.now() - timedelta(days=2))
    plan_reminders()
    sent = send_due_reminders()
    drain_everything()
    planned = Reminder.objects.filter(state=Reminder.State.PLANNED).count()
    say(f"{len(RULES)} reminder rules, {planned} reminders planned and {sent} sent")


def register() -> None:
    """Hand the loader to the registry."""
    # Before the campaigns: draining would empty the one that is to be seen under way.
    demo_loaders.register("reminders", load, order=25)
