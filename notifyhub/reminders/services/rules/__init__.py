"""Reminder rules: written as versions, switched on and off."""

from notifyhub.reminders.services.rules.checks import check_spec, check_steps
from notifyhub.reminders.services.rules.specs import RuleSpec, StepSpec, default_stops, spec_of, step_specs_of
from notifyhub.reminders.services.rules.switching import (
    activate_rule,
    archive_rule,
    find_unsendable,
    pause_rule,
)
from notifyhub.reminders.services.rules.writing import create_rule, draft_version, update_rule

__all__ = [
    "RuleSpec",
    "StepSpec",
    "activate_rule",
    "archive_rule",
    "check_spec",
    "check_steps",
    "create_rule",
    "default_stops",
    "draft_version",
    "find_unsendable",
    "pause_rule",
    "spec_of",
    "step_specs_of",
    "update_rule",
]
