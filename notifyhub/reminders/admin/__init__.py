"""Pages of reminders: rules, due rows, schedules."""

from notifyhub.reminders.admin.due import ReminderAdmin
from notifyhub.reminders.admin.rules import ReminderRuleAdmin

__all__ = ["ReminderAdmin", "ReminderRuleAdmin"]
