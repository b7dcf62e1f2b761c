"""A rule as it is typed: every field of a version and of its steps, and what money stops by itself."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import time
from typing import Any

from notifyhub.messaging.models import Template
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.reminders.models import ReminderRule, ReminderStep, RuleVersion
from notifyhub.staff.models import BusinessCalendar, Team

# A rule about money stops by itself once the money is settled or in question; one about a date of service
# once there is nothing left to come.
MONEY_STATES = ("paid", "completed", "cancelled", "refund_asked", "refunded", "disputed")
SERVICE_STATES = ("completed", "cancelled", "refunded")
ARRANGED = "arrangement_agreed"
SERVICE_DATES = ("starts_at", "promised_at")
_MONEY = re.compile(r"(^|_)(bill|billed|due|invoice|installment|repayment|payment|unpaid)(_|$)")
_PAYABLE = ("order_placed", "booking_placed")

# Of a RuleSpec, what stands in the rule itself; all else stands in its version.
OF_THE_RULE = ("name", "owner_team", "example")


@dataclass(frozen=True, kw_only=True)
class StepSpec:
    """One step as typed; `number` names the step it changes, None a new one."""

    amount: int
    unit: str
    side: str
    template: Template
    chain: list[dict[str, Any]]
    at_time: time = time(10, 0)
    repeat_days: int | None = None
    repeat_max: int = 1
    number: int | None = None


@dataclass(frozen=True, kw_only=True)
class RuleSpec:
    """A rule as typed. A stop or goal that is None gets what the start suggests (see default_stops)."""

    name: str
    start: str
    event_name: str = ""
    event_filters: list[dict[str, Any]] = field(default_factory=list)
    date_field: str = ""
    yearly: bool = False
    subject_property: str = ""
    again: str = RuleVersion.Again.RESTART
    newer_cancels: bool = False
    lines: list[str] = field(default_factory=list)
    stop_states: list[str] | None = None
    stop_paid: bool | None = None
    stop_held: bool | None = None
    stop_events: list[str] | None = None
    stop_matching: str = RuleVersion.Matching.SUBJECT
    stop_reacted: bool = False
    skips: list[dict[str, Any]] = field(default_factory=list)
    grace_hours: int = 12
    send_from: time | None = None
    send_until: time | None = None
    urgent: bool = False
    working_days: bool = False
    calendar: BusinessCalendar | None = None
    off_day: str = RuleVersion.OffDay.AFTER
    priority: int = Priority.BULK
    max_per_customer: int | None = None
    max_days: int = 30
    subject_gap_hours: int | None = None
    subject_max: int | None = None
    goal_states: list[str] = field(default_factory=list)
    goal_paid: bool | None = None
    goal_events: list[str] = field(default_factory=list)
    goal_days: int = 7
    holdout: int = 0
    owner_team: Team | None = None
    example: str = ""


def is_about_money(*, start: str, date_field: str = "", event_name: str = "") -> bool:
    """Say whether a rule that starts so asks for money."""
    if start == RuleVersion.Start.ORDER:
        return date_field == RuleVersion.OrderDate.DUE
    if start != RuleVersion.Start.EVENT:
        return False
    return event_name in _PAYABLE or any(_MONEY.search(name) for name in (event_name, date_field))


def default_stops(*, start: str, date_field: str = "", event_name: str = "") -> dict[str, Any]:
    """Return the stops and the goal that a rule with such a start gets if nobody says otherwise."""
    money = is_about_money(start=start, date_field=date_field, event_name=event_name)
    states: Sequence[str] = ()
    if money:
        states = MONEY_STATES
    elif start == RuleVersion.Start.ORDER and date_field in SERVICE_DATES:
        states = SERVICE_STATES
    return {
        "stop_states": list(states),
        "stop_paid": money,
        "stop_held": money,
        "stop_events": [ARRANGED] if money else [],
        "goal_paid": money,
    }


def spec_of(rule: ReminderRule) -> RuleSpec:
    """Return the rule as it would be typed, by its live version."""
    version = rule.live
    names = [one.name for one in fields(RuleSpec)]
    return RuleSpec(**{name: getattr(rule if name in OF_THE_RULE else version, name) for name in names})


def step_specs_of(steps: Sequence[ReminderStep]) -> list[StepSpec]:
    """Return the steps as they would be typed."""
    names = [one.name for one in fields(StepSpec)]
    return [StepSpec(**{name: getattr(step, name) for name in names}) for step in steps]
