"""Reminder models."""

from notifyhub.reminders.models.reminder import Reminder
from notifyhub.reminders.models.rule import ReminderRule, ReminderStep

__all__ = ["Reminder", "ReminderRule", "ReminderStep"]
