"""What events do to reminders: within seconds by the tick, at once for steps without an offset."""

from notifyhub.reminders.services.following.hearing import follow_news
from notifyhub.reminders.services.following.realtime import begin_at_once, on_events_recorded

__all__ = ["begin_at_once", "follow_news", "on_events_recorded"]
