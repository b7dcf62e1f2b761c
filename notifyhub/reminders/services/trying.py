"""What a rule would do for one customer, asked by the statement that plans: nothing is written."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Customer, Hold, Order
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.models import Delivery, TemplateVersion
from notifyhub.messaging.services.dispatches import forecast
from notifyhub.reminders.models import Reminder, ReminderRule, ReminderStep
from notifyhub.reminders.services.due_sql import due_rows
from notifyhub.reminders.services.planning import FRESH, HORIZON

BACK, AHEAD = "60 days", "400 days"
SHOWN = 3

_TRY = """
SELECT f.order_id, f.subject_ref, f.anchor_at, f.due_at, f.stopped, r.id, r.state, r.reason
FROM ({fresh}) f
LEFT JOIN reminders_reminder r ON r.rule_id = %(rule)s AND r.step = %(step)s
    AND r.subject_ref = f.subject_ref AND r.occurrence = f.occurrence
ORDER BY f.due_at
"""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one step would do about one date: when, whether, and in words why."""

    step: ReminderStep
    words: str
    tone: str
    due_at: datetime | None = None
    subject: str = ""
    reminder_id: int | None = None


def try_rule(*, rule: ReminderRule, customer: Customer) -> list[Outcome]:
    """Return what each step of the rule, as saved, would do for the customer, by date."""
    steps = list(rule.steps.select_related("template__topic"))
    found = {step.number: _rows(rule, step, customer) for step in steps}
    orders = Order.objects.in_bulk({row["order_id"] for rows in found.values() for row in rows} - {None})
    held = set(
        Hold.objects.filter(customer=customer, scope="subject", released_at=None)
        .filter(Q(ends_at=None) | Q(ends_at__gt=timezone.now()))
        .values_list("scope_value", flat=True)
    )
    roads: dict[int, tuple[bool, str]] = {}
    outcomes: list[Outcome] = []
    for step in steps:
        if not found[step.number]:
            outcomes.append(Outcome(step=step, words=_why_nothing(rule, customer), tone="grey"))
        for row in found[step.number]:
            words, tone = _judge(rule, row, orders.get(row["order_id"]), held)
            if tone == "green":
                if step.template_id not in roads:
                    roads[step.template_id] = _road(rule, step, customer)
                open_road, how = roads[step.template_id]
                words, tone = f"{words} {how}", "green" if open_road else "orange"
            outcomes.append(
                Outcome(
                    step=step,
                    words=words,
                    tone=tone,
                    due_at=row["due_at"],
                    subject=orders[row["order_id"]].number if row["order_id"] else rule.attribute,
                    reminder_id=row["id"],
                )
            )
    return outcomes


def _rows(rule: ReminderRule, step: ReminderStep, customer: Customer) -> list[dict[str, Any]]:
    """Return the next date of the step by subject, or its latest if none is to come; the nearest few."""
    source, params = due_rows(rule, step, back=BACK, ahead=AHEAD, customer_id=customer.pk)
    with connection.cursor() as cursor:
        cursor.execute(_TRY.format(fresh=FRESH.format(source=source)), params)
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    now = timezone.now()
    since = now - timedelta(hours=rule.grace_hours)
    picked: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["subject_ref"] not in picked or picked[row["subject_ref"]]["due_at"] < since:
            picked[row["subject_ref"]] = row
    nearest = sorted(picked.values(), key=lambda row: abs(row["due_at"] - now))[:SHOWN]
    return sorted(nearest, key=lambda row: row["due_at"])


def _judge(rule: ReminderRule, row: dict[str, Any], order: Order | None, held: set[str]) -> tuple[str, str]:
    now, due = timezone.now(), row["due_at"]
    if row["state"] == Reminder.State.DISPATCHED:
        return _("Handed to sending already; it goes once."), "blue"
    if order is not None and row["stopped"]:
        return _("Not sent: the order is “%s”.") % order.get_state_display(), "orange"
    if due < now - timedelta(hours=rule.grace_hours):
        return _("Not sent: too late, its grace (%d h) is over.") % rule.grace_hours, "grey"
    active = rule.state == ReminderRule.State.ACTIVE
    if due < (rule.activated_at or now if active else now):
        return _("Not sent: it was due before the rule became active."), "grey"
    if row["subject_ref"] in held:
        return _("Not sent while this order is on hold."), "orange"
    if due <= now:
        return _("Sent at once."), "green"
    if due > now + HORIZON:
        return _("Sent then; it is planned %d days ahead.") % HORIZON.days, "green"
    return _("Sent then."), "green"


def _road(rule: ReminderRule, step: ReminderStep, customer: Customer) -> tuple[bool, str]:
    """Return whether the customer can be reached by this step's template now, and how or why not."""
    version = TemplateVersion.objects.filter(
        template_id=step.template_id, state=TemplateVersion.State.PUBLISHED
    ).first()
    if version is None:
        return False, _("But the template “%s” is not published.") % step.template
    try:
        answer = forecast(
            message_class=step.template.message_class,
            chain=[{"channel": channel} for channel in rule.chain],
            audience={
                "kind": "rule",
                "rule": {"field": "customer", "operator": "in", "value": [customer.pk]},
            },
            topic=step.template.topic,
            template_version=version,
        )
    except Refused as refusal:
        return False, str(refusal)
    for channel in answer.by_channel:
        return True, _("By %s, as things are now.") % Channel(channel).label
    for reason in answer.by_reason:
        return False, _("But as things are now it would be skipped: %s.") % Delivery.Reason(reason).label
    return False, ""


def _why_nothing(rule: ReminderRule, customer: Customer) -> str:
    if not rule.about_orders:
        if rule.attribute not in customer.attributes:
            return _("The profile has no field “%s”.") % rule.attribute
        return (
            _("“%s” in the profile is not a date such as 1990-05-17, or that date is long past or far ahead.")
            % rule.attribute
        )
    field = rule.anchor.partition(".")[2]
    dated = Order.objects.filter(customer=customer, **{f"{field}__isnull": False})
    lines = set(dated.values_list("line", flat=True).distinct())
    if not lines:
        return _("This customer has no order with that date.")
    if rule.lines and not lines & set(rule.lines):
        return _("The orders with that date belong to other business lines.")
    return _("Every such date is long past or more than a year ahead.")
