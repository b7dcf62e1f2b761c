"""Writing rules. A version by which something has begun stays as it is; the next save makes another."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import F, Max
from django.utils.translation import gettext as _

from notifyhub.core.errors import Conflict, Refused
from notifyhub.core.keys import create_with_key
from notifyhub.reminders.models import Occasion, Reminder, ReminderRule, ReminderStep, RuleVersion
from notifyhub.reminders.services.rules.checks import check_spec, check_steps
from notifyhub.reminders.services.rules.specs import RuleSpec, StepSpec
from notifyhub.reminders.services.rules.switching import refuse_unsendable
from notifyhub.staff.models import User
from notifyhub.staff.services import audit

State = ReminderRule.State


@transaction.atomic
def create_rule(*, data: RuleSpec, steps: Sequence[StepSpec], owner: User | None = None) -> ReminderRule:
    """Create a draft rule with its first version; return it. Raises Refused naming the field."""
    values, lines = check_spec(data), check_steps(steps)
    rule = create_with_key(
        ReminderRule.objects.all(),
        name=data.name.strip(),
        fallback="rule",
        owner=owner,
        owner_team=data.owner_team,
        example=data.example,
    )
    _write_version(rule, values, _numbered(rule, steps, lines), author=owner)
    audit.record(verb="create_reminder_rule", obj=rule)
    return rule


@transaction.atomic
def update_rule(
    *,
    rule_id: int,
    data: RuleSpec,
    steps: Sequence[StepSpec],
    version: int | None,
    author: User | None = None,
) -> ReminderRule:
    """Write the rule if it still has `version` (of the rule, against two savers); return it.

    The version in force is rewritten while no occasion has begun by it, else the next one is made and takes
    force. Raises Conflict for a stale version; Refused if an active rule could not be sent any more.
    """
    values, lines = check_spec(data), check_steps(steps)
    moved = (
        ReminderRule.objects.filter(pk=rule_id, version=-1 if version is None else version)
        .exclude(state=State.ARCHIVED)
        .update(name=data.name.strip(), owner_team=data.owner_team, version=F("version") + 1, planned_at=None)
    )
    rule = ReminderRule.objects.select_related("live").get(pk=rule_id)
    if not moved and rule.state == State.ARCHIVED:
        raise Refused(_("This rule is archived and cannot be changed."))
    if not moved:
        raise Conflict(
            _("Somebody changed this rule meanwhile. Your entries are kept; compare and save again."),
            current=rule.version,
        )
    _write_version(rule, values, _numbered(rule, steps, lines), author=author)
    if rule.state == State.ACTIVE:
        refuse_unsendable(rule)
    audit.record(verb="update_reminder_rule", obj=rule)
    return rule


def draft_version(
    *, data: RuleSpec, steps: Sequence[StepSpec], rule: ReminderRule | None = None
) -> tuple[RuleVersion, list[ReminderStep]]:
    """Return the version and steps that saving would make, unsaved; raises Refused as saving would."""
    values, lines = check_spec(data), check_steps(steps)
    if rule is None:
        rule = ReminderRule(name=data.name.strip(), owner_team=data.owner_team)
        numbered = list(enumerate(lines, start=1))
    else:
        numbered = _numbered(rule, steps, lines)
    version = RuleVersion(rule=rule, number=rule.live.number + 1 if rule.live else 1, **values)
    return version, [ReminderStep(number=number, **line) for number, line in numbered]


def _numbered(
    rule: ReminderRule, steps: Sequence[StepSpec], lines: Sequence[dict[str, Any]]
) -> list[tuple[int, dict[str, Any]]]:
    """Return each step with its number. One that was given up is never used again: what was sent under it
    answers for that step."""
    known = set(rule.live.steps.values_list("number", flat=True)) if rule.live else set()
    used = [
        Reminder.objects.filter(rule=rule).aggregate(last=Max("step"))["last"] or 0,
        ReminderStep.objects.filter(rule_version__rule=rule).aggregate(last=Max("number"))["last"] or 0,
    ]
    following = max(used)
    kept: set[int] = set()
    numbered = []
    for spec, line in zip(steps, lines, strict=True):
        number = spec.number
        if number not in known or number in kept:
            following += 1
            number = following
        kept.add(number)
        numbered.append((number, line))
    return numbered


def _write_version(
    rule: ReminderRule,
    values: dict[str, Any],
    steps: Sequence[tuple[int, dict[str, Any]]],
    *,
    author: User | None,
) -> None:
    live = rule.live
    if live is not None and _says_the_same(live, values, steps):
        return
    if live is not None and not Occasion.objects.filter(rule_version=live).exists():
        RuleVersion.objects.filter(pk=live.pk).update(**values)
        live.steps.all().delete()
        version = live
        version.refresh_from_db()
    else:
        last = RuleVersion.objects.filter(rule=rule).aggregate(last=Max("number"))["last"] or 0
        version = RuleVersion.objects.create(rule=rule, number=last + 1, created_by=author, **values)
    ReminderStep.objects.bulk_create(
        ReminderStep(rule_version=version, number=number, **line) for number, line in steps
    )
    ReminderRule.objects.filter(pk=rule.pk).update(live=version)
    rule.live = version


def _says_the_same(
    live: RuleVersion, values: dict[str, Any], steps: Sequence[tuple[int, dict[str, Any]]]
) -> bool:
    """Say whether nothing of what the rule does was changed: a new name is no new version."""
    if any(getattr(live, name) != value for name, value in values.items()):
        return False
    kept = {step.number: step for step in live.steps.select_related("template")}
    return set(kept) == {number for number, _line in steps} and all(
        getattr(kept[number], name) == value for number, line in steps for name, value in line.items()
    )
