"""Making, changing and switching reminder rules."""

from dataclasses import dataclass
from datetime import time
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from notifyhub.core.errors import Conflict, Refused
from notifyhub.messaging.models import Template, TemplateVersion
from notifyhub.reminders.models import ReminderRule, ReminderStep
from notifyhub.staff.models import User
from notifyhub.staff.services import audit

State = ReminderRule.State

# A rule about money stops by itself once the money is settled or in question.
MONEY_STOPS = ("paid", "refund_asked", "refunded", "cancelled", "disputed", "completed")
FIELDS = ("name", "anchor", "attribute", "lines", "stop_states", "chain", "grace_hours", "owner_team")


@dataclass(frozen=True, kw_only=True)
class StepSpec:
    """One step as typed."""

    amount: int
    unit: str
    side: str
    at_time: time
    template: Template


def _check(data: dict[str, Any], steps: list[StepSpec]) -> None:
    if data["anchor"] == ReminderRule.Anchor.CUSTOMER_DATE:
        if not data.get("attribute"):
            raise Refused(
                _("Name the profile field that holds the date, such as birthday."), field="attribute"
            )
    elif data.get("attribute"):
        raise Refused(_("Leave this empty when the rule counts from an order."), field="attribute")
    if not data.get("chain"):
        raise Refused(_("Choose at least one channel."), field="chain")
    if not steps:
        raise Refused(_("Add at least one step."))


def _write_steps(rule: ReminderRule, steps: list[StepSpec]) -> None:
    kept = []
    for number, spec in enumerate(steps, start=1):
        values = {
            "amount": spec.amount,
            "unit": spec.unit,
            "side": spec.side,
            "at_time": spec.at_time,
            "template": spec.template,
        }
        kept.append(ReminderStep.objects.update_or_create(rule=rule, number=number, defaults=values)[0].pk)
    rule.steps.exclude(pk__in=kept).delete()


def _free_key(name: str) -> str:
    base = slugify(name)[:50] or "rule"
    key, n = base, 1
    while ReminderRule.objects.filter(key=key).exists():
        n += 1
        key = f"{base}-{n}"
    return key


@transaction.atomic
def create_rule(*, data: dict[str, Any], steps: list[StepSpec], owner: User | None = None) -> ReminderRule:
    """Create a draft rule with its steps; return it. Raises Refused with the field that needs attention."""
    _check(data, steps)
    values = {name: data[name] for name in FIELDS if name in data}
    if values["anchor"] == ReminderRule.Anchor.ORDER_DUE and not values.get("stop_states"):
        values["stop_states"] = list(MONEY_STOPS)
    rule = ReminderRule.objects.create(key=_free_key(values["name"]), owner=owner, **values)
    _write_steps(rule, steps)
    audit.record(verb="create_reminder_rule", obj=rule)
    return rule


@transaction.atomic
def update_rule(
    *, rule_id: int, data: dict[str, Any], steps: list[StepSpec], version: int | None
) -> ReminderRule:
    """Write the rule and its steps if it still has `version`; return it. Raises Conflict otherwise."""
    _check(data, steps)
    values = {name: data[name] for name in FIELDS if name in data}
    moved = (
        ReminderRule.objects.filter(pk=rule_id, version=version)
        .exclude(state=State.ARCHIVED)
        .update(**values, version=F("version") + 1)
    )
    if not moved:
        raise Conflict(
            _("Somebody changed this rule meanwhile. Your entries are kept; compare and save again.")
        )
    rule = ReminderRule.objects.get(pk=rule_id)
    _write_steps(rule, steps)
    audit.record(verb="update_reminder_rule", obj=rule)
    return rule


@transaction.atomic
def activate_rule(*, rule_id: int) -> None:
    """Let the rule make due rows from now on. Raises Refused while a template is unpublished."""
    rule = ReminderRule.objects.prefetch_related("steps__template").get(pk=rule_id)
    for step in rule.steps.all():
        if not TemplateVersion.objects.filter(template=step.template, state="published").exists():
            raise Refused(_("Publish the template “%s” first.") % step.template)
    if not ReminderRule.FLOW.advance(
        ReminderRule.objects.filter(pk=rule_id), to=State.ACTIVE, activated_at=timezone.now()
    ):
        raise Refused(_("This rule cannot be activated; it is active already or archived."))
    audit.record(verb="activate_reminder_rule", obj=rule)


@transaction.atomic
def pause_rule(*, rule_id: int, reason: str = "") -> None:
    """Stop the rule at once: what was planned is stopped, what waits in sending is skipped."""
    if not ReminderRule.FLOW.advance(ReminderRule.objects.filter(pk=rule_id), to=State.PAUSED):
        raise Refused(_("Only an active rule can be paused."))
    audit.record(verb="pause_reminder_rule", obj=ReminderRule.objects.get(pk=rule_id), reason=reason)


@transaction.atomic
def archive_rule(*, rule_id: int) -> None:
    """Put the rule away for good; its history stays."""
    if not ReminderRule.FLOW.advance(ReminderRule.objects.filter(pk=rule_id), to=State.ARCHIVED):
        raise Refused(_("Pause the rule before you archive it."))
    audit.record(verb="archive_reminder_rule", obj=ReminderRule.objects.get(pk=rule_id))
