"""Reminder models."""

from notifyhub.reminders.models.occasion import Occasion
from notifyhub.reminders.models.reminder import Reminder
from notifyhub.reminders.models.rule import ReminderRule
from notifyhub.reminders.models.step import ReminderStep
from notifyhub.reminders.models.version import RuleVersion

__all__ = ["Occasion", "Reminder", "ReminderRule", "ReminderStep", "RuleVersion"]
