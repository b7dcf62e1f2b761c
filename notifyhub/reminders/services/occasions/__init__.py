"""Occasions: begun, moved and given up as orders, profiles and events say."""

from notifyhub.reminders.services.occasions.beginning import begin_dated, begin_events
from notifyhub.reminders.services.occasions.moving import adopt_version, follow_dates
from notifyhub.reminders.services.occasions.rows import write_rows

__all__ = ["adopt_version", "begin_dated", "begin_events", "follow_dates", "write_rows"]
