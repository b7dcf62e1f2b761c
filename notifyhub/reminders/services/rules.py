"""Making, changing and switching reminder rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from typing import Any

from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Conflict, Refused
from notifyhub.core.keys import create_with_key
from notifyhub.messaging.models import Content, Template, TemplateVersion
from notifyhub.reminders.models import Reminder, ReminderRule, ReminderStep
from notifyhub.staff.models import User
from notifyhub.staff.services import audit

State = ReminderRule.State
Anchor = ReminderRule.Anchor

# A rule about money stops by itself once the money is settled or in question; one about a date of service
# once there is nothing left to come.
MONEY_STOPS = ("paid", "completed", "cancelled", "refund_asked", "refunded", "disputed")
SERVICE_STOPS = ("completed", "cancelled", "refunded")
DEFAULT_STOPS: dict[str, tuple[str, ...]] = {
    Anchor.ORDER_DUE: MONEY_STOPS,
    Anchor.ORDER_STARTS: SERVICE_STOPS,
    Anchor.ORDER_PROMISED: SERVICE_STOPS,
}
FIELDS = ("name", "anchor", "attribute", "lines", "stop_states", "chain", "grace_hours", "owner_team")


@dataclass(frozen=True, kw_only=True)
class StepSpec:
    """One step as typed; `number` names the step it changes, None a new one."""

    amount: int
    unit: str
    side: str
    at_time: time
    template: Template
    number: int | None = None


def _values(data: dict[str, Any], steps: Sequence[StepSpec]) -> dict[str, Any]:
    """Return the fields to write; what only orders have is dropped for a customer date."""
    about_orders = data["anchor"].startswith("order.")
    if not about_orders and not data.get("attribute"):
        raise Refused(_("Name the profile field that holds the date, such as birthday."), field="attribute")
    if about_orders and data.get("attribute"):
        raise Refused(_("Leave this empty when the rule counts from an order."), field="attribute")
    if not data.get("chain"):
        raise Refused(_("Choose at least one channel."), field="chain")
    if len(set(data["chain"])) < len(data["chain"]):
        raise Refused(_("A channel is named twice."), field="chain")
    if not steps:
        raise Refused(_("Add at least one step."))
    values = {name: data[name] for name in FIELDS if name in data}
    if not about_orders:
        values |= {"lines": [], "stop_states": []}
    return values


def _write_steps(rule: ReminderRule, steps: Sequence[StepSpec]) -> None:
    """Write the steps; a number is never used again, for what was sent under it answers for that step."""
    known = set(rule.steps.values_list("number", flat=True))
    sent = Reminder.objects.filter(rule=rule).aggregate(last=Max("step"))["last"] or 0
    following = max([sent, *known], default=0)
    kept: set[int] = set()
    for spec in steps:
        number = spec.number
        if number not in known or number in kept:
            following += 1
            number = following
        kept.add(number)
        values = {
            "amount": spec.amount,
            "unit": spec.unit,
            "side": spec.side,
            "at_time": spec.at_time,
            "template": spec.template,
        }
        ReminderStep.objects.update_or_create(rule=rule, number=number, defaults=values)
    rule.steps.exclude(number__in=kept).delete()


def find_unsendable(rule: ReminderRule) -> list[str]:
    """Return a sentence for each template of the rule that cannot be sent as it stands."""
    templates = {step.template_id: step.template for step in rule.steps.select_related("template")}
    versions = dict(
        TemplateVersion.objects.filter(
            template__in=templates, state=TemplateVersion.State.PUBLISHED
        ).values_list("template", "pk")
    )
    written: dict[int, set[str]] = {}
    for version, channel in Content.objects.filter(template_version__in=versions.values()).values_list(
        "template_version", "channel"
    ):
        written.setdefault(version, set()).add(channel)
    sentences = []
    for pk, template in templates.items():
        if pk not in versions:
            sentences.append(_("Publish the template “%s” first.") % template)
        elif not written.get(versions[pk], set()) & set(rule.chain):
            sentences.append(_("The template “%s” has no text for the channels of this rule.") % template)
    return sentences


@transaction.atomic
def create_rule(
    *, data: dict[str, Any], steps: Sequence[StepSpec], owner: User | None = None
) -> ReminderRule:
    """Create a draft rule with its steps; return it. Raises Refused with the field that needs attention.

    Without `stop_states` it gets those that its date suggests.
    """
    data = {"stop_states": list(DEFAULT_STOPS.get(data["anchor"], ())), **data}
    rule = create_with_key(ReminderRule.objects.all(), fallback="rule", owner=owner, **_values(data, steps))
    _write_steps(rule, steps)
    audit.record(verb="create_reminder_rule", obj=rule)
    return rule


@transaction.atomic
def update_rule(
    *, rule_id: int, data: dict[str, Any], steps: Sequence[StepSpec], version: int | None
) -> ReminderRule:
    """Write the rule and its steps if it still has `version`; return it. Raises Conflict otherwise.

    Refused if an active rule would be left with a template that cannot be sent.
    """
    values = _values(data, steps)
    moved = (
        ReminderRule.objects.filter(pk=rule_id, version=-1 if version is None else version)
        .exclude(state=State.ARCHIVED)
        .update(**values, version=F("version") + 1, planned_at=None)
    )
    rule = ReminderRule.objects.get(pk=rule_id)
    if not moved and rule.state == State.ARCHIVED:
        raise Refused(_("This rule is archived and cannot be changed."))
    if not moved:
        raise Conflict(
            _("Somebody changed this rule meanwhile. Your entries are kept; compare and save again."),
            current=rule.version,
        )
    _write_steps(rule, steps)
    if rule.state == State.ACTIVE:
        _refuse_unsendable(rule)
    audit.record(verb="update_reminder_rule", obj=rule)
    return rule


def _refuse_unsendable(rule: ReminderRule) -> None:
    sentences = find_unsendable(rule)
    if sentences:
        raise Refused(" ".join(sentences))


@transaction.atomic
def activate_rule(*, rule_id: int) -> None:
    """Let the rule make due rows from now on. Raises Refused while a template cannot be sent."""
    moved = ReminderRule.FLOW.advance(
        ReminderRule.objects.filter(pk=rule_id), to=State.ACTIVE, activated_at=timezone.now(), planned_at=None
    )
    if not moved:
        raise Refused(_("This rule cannot be activated; it is active already or archived."))
    rule = ReminderRule.objects.get(pk=rule_id)
    _refuse_unsendable(rule)
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
