"""Whether a rule makes sense, and what is written of it; refusals name the field.

A field of a step is named by its place: `steps.0.chain`.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Order
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.services.dispatches import check_chain
from notifyhub.reminders.models import ReminderStep, RuleVersion
from notifyhub.reminders.registry import skip_conditions
from notifyhub.reminders.services.filters import check_filters
from notifyhub.reminders.services.rules.specs import OF_THE_RULE, RuleSpec, StepSpec, default_stops

Start = RuleVersion.Start
_EVENT = re.compile(r"^[a-z][a-z0-9_.]{0,79}$")
# How subjects of other kinds begin.
RESERVED = ("order", "customer", "event")
MAX_STEPS = 12
_RANGES: dict[str, tuple[int, int]] = {
    "grace_hours": (1, 720),
    "max_per_customer": (1, 1000),
    "max_days": (1, 366),
    "subject_gap_hours": (1, 8760),
    "subject_max": (1, 1000),
    "goal_days": (1, 90),
    "holdout": (0, 50),
}
_CHOICES: dict[str, Any] = {
    "again": RuleVersion.Again,
    "stop_matching": RuleVersion.Matching,
    "off_day": RuleVersion.OffDay,
    "priority": Priority,
}


def check_spec(spec: RuleSpec) -> dict[str, Any]:
    """Return the fields of the version to write, with the suggested stops where none are named.

    What a start of that kind does not have is dropped. Raises Refused with the field that needs attention.
    """
    if not spec.name.strip() or len(spec.name) > 120:
        raise Refused(_("Give the rule a name of at most %d characters.") % 120, field="name")
    if spec.start not in Start.values:
        raise Refused(_("Choose what the rule starts from."), field="start")
    spec = replace(spec, **_stops(spec))
    _check_start(spec)
    _check_numbers(spec)
    _check_lists(spec)
    _check_hours(spec)
    for place, skip in enumerate(spec.skips):
        check_skip(skip, field=f"skips.{place}")
    values = {one.name: getattr(spec, one.name) for one in fields(spec) if one.name not in OF_THE_RULE}
    return values | _without(spec)


def _stops(spec: RuleSpec) -> dict[str, Any]:
    suggested = default_stops(start=spec.start, date_field=spec.date_field, event_name=spec.event_name)
    return {name: value for name, value in suggested.items() if getattr(spec, name) is None}


def _without(spec: RuleSpec) -> dict[str, Any]:
    """Return what a rule of that start does not have, emptied."""
    emptied: dict[str, Any] = {}
    if spec.start != Start.EVENT:
        emptied |= {"event_name": "", "event_filters": [], "subject_property": "", "newer_cancels": False}
    if spec.start != Start.CUSTOMER:
        emptied["yearly"] = False
    else:
        emptied |= {"lines": [], "stop_states": [], "stop_paid": False, "goal_states": [], "goal_paid": False}
    if not spec.working_days:
        emptied["calendar"] = None
    return emptied


def _check_start(spec: RuleSpec) -> None:
    if spec.start == Start.ORDER and spec.date_field not in RuleVersion.OrderDate.values:
        raise Refused(_("Choose the date of the order to count from."), field="date_field")
    if spec.start == Start.CUSTOMER and not spec.date_field.strip():
        raise Refused(_("Name the profile field that holds the date, such as birthday."), field="date_field")
    if len(spec.date_field) > 60 or not spec.date_field.isprintable():
        raise Refused(_("Use at most %d characters.") % 60, field="date_field")
    if spec.start != Start.EVENT:
        return
    check_event_name(spec.event_name, field="event_name")
    check_filters(spec.event_filters)
    if len(spec.subject_property) > 60 or not spec.subject_property.isprintable():
        raise Refused(_("Use at most %d characters.") % 60, field="subject_property")
    if spec.subject_property in RESERVED:
        raise Refused(
            _("“%s” is taken already: leave this empty, and it is about the order that the event names.")
            % spec.subject_property,
            field="subject_property",
        )


def check_event_name(name: str, *, field: str) -> None:
    """Raise Refused unless events can have that name."""
    if not isinstance(name, str) or not _EVENT.match(name):
        raise Refused(_("Write the event's name like order_paid."), field=field)


def _check_numbers(spec: RuleSpec) -> None:
    for name, (low, high) in _RANGES.items():
        value = getattr(spec, name)
        if value is not None and (type(value) is not int or not low <= value <= high):
            raise Refused(
                _("Give a number from %(low)d to %(high)d.") % {"low": low, "high": high}, field=name
            )
    for name, choices in _CHOICES.items():
        if getattr(spec, name) not in choices.values:
            raise Refused(_("Choose one of the list."), field=name)


def _check_lists(spec: RuleSpec) -> None:
    for name, known in (("lines", Order.Line), ("stop_states", Order.State), ("goal_states", Order.State)):
        if any(value not in known.values for value in getattr(spec, name) or ()):
            raise Refused(_("Choose one of the list."), field=name)
    for name in ("stop_events", "goal_events"):
        for event in getattr(spec, name) or ():
            check_event_name(event, field=name)
    if spec.start == Start.EVENT and spec.event_name in (spec.stop_events or ()):
        raise Refused(_("The event that starts the rule cannot stop it as well."), field="stop_events")


def _check_hours(spec: RuleSpec) -> None:
    if (spec.send_from is None) != (spec.send_until is None):
        raise Refused(
            _("Give both hours, or none."), field="send_until" if spec.send_from is not None else "send_from"
        )
    if spec.send_from is not None and spec.send_from == spec.send_until:
        raise Refused(_("This leaves no time to send. Choose a later end."), field="send_until")


def check_skip(skip: Any, *, field: str) -> None:
    """Raise Refused unless it is a condition that the registry knows, with parameters that make sense."""
    found = skip_conditions.get(str(skip.get("kind"))) if isinstance(skip, dict) else None
    if found is None:
        raise Refused(_("This condition is unknown."), field=field)
    try:
        found.compile({name: value for name, value in skip.items() if name != "kind"})
    except Refused as refusal:
        raise Refused(refusal.message, field=f"{field}.{refusal.field or 'kind'}") from refusal


def check_steps(steps: Sequence[StepSpec]) -> list[dict[str, Any]]:
    """Return the fields of each step to write, without its number; raise Refused naming what is wrong."""
    if not steps:
        raise Refused(_("Add at least one step."), field="steps")
    if len(steps) > MAX_STEPS:
        raise Refused(_("A rule has at most %d steps.") % MAX_STEPS, field="steps")
    return [_check_step(step, f"steps.{place}") for place, step in enumerate(steps)]


def _check_step(step: StepSpec, name: str) -> dict[str, Any]:
    if type(step.amount) is not int or not 0 <= step.amount <= 9999:
        raise Refused(
            _("Give a number from %(low)d to %(high)d.") % {"low": 0, "high": 9999}, field=f"{name}.amount"
        )
    if step.unit not in ReminderStep.Unit.values or step.side not in ReminderStep.Side.values:
        raise Refused(_("Choose one of the list."), field=f"{name}.unit")
    if step.template.archived_at is not None:
        raise Refused(_("This template is archived. Choose another."), field=f"{name}.template")
    try:
        check_chain(step.chain)
    except Refused as refusal:
        raise Refused(refusal.message, field=f"{name}.chain") from refusal
    if step.repeat_days is None and step.repeat_max != 1:
        raise Refused(_("Say after how many days it comes again."), field=f"{name}.repeat_days")
    if step.repeat_days is not None and not (1 <= step.repeat_days <= 366 and 2 <= step.repeat_max <= 60):
        raise Refused(
            _("It may come again every 1 to 366 days, 2 to 60 times in all."), field=f"{name}.repeat_max"
        )
    values = asdict(replace(step, template=None))  # type: ignore[arg-type]
    del values["number"]
    return {**values, "template": step.template}
