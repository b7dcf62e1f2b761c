"""The one SQL source of due times: planning, the dry run and the test on a customer all ask it.

A rule's start gives *anchors* (who, about what, counted from when); its steps turn each anchor into *due
times* on the customer's own clock.
"""

from notifyhub.reminders.services.due_sql.anchors import Anchors, anchors_of, event_anchors
from notifyhub.reminders.services.due_sql.rows import Lines, due_rows, lines_of, reach_of
from notifyhub.reminders.services.due_sql.times import at_clock

__all__ = [
    "Anchors",
    "Lines",
    "anchors_of",
    "at_clock",
    "due_rows",
    "event_anchors",
    "lines_of",
    "reach_of",
]
