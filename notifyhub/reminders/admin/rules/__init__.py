"""Reminder rules: the list, the guided page, its versions, its report, the switches."""

from notifyhub.reminders.admin.rules.listing import ReminderRuleAdmin

__all__ = ["ReminderRuleAdmin"]
