"""Handing due rows to messaging: one dispatch per version, step and tick, each row once."""

from notifyhub.reminders.services.sending.handing import ORIGIN, hand_over
from notifyhub.reminders.services.sending.rounds import on_overdue_cancelled, send_due_reminders, skip_overdue

__all__ = ["ORIGIN", "hand_over", "on_overdue_cancelled", "send_due_reminders", "skip_overdue"]
