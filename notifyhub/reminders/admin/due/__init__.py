"""Due reminders: what is next, what was sent, and why one was not."""

from notifyhub.reminders.admin.due.listing import ReminderAdmin

__all__ = ["ReminderAdmin"]
