"""A rule in plain words, in the reader's language: of a version as saved, or of a rule as typed."""

from notifyhub.reminders.words.differences import Difference, differences
from notifyhub.reminders.words.reminder import moved_words, occasion_words, reminder_words, why_words
from notifyhub.reminders.words.rule import Part, describe
from notifyhub.reminders.words.steps import chain_words, channel_label, step_when

__all__ = [
    "Difference",
    "Part",
    "chain_words",
    "channel_label",
    "describe",
    "differences",
    "moved_words",
    "occasion_words",
    "reminder_words",
    "step_when",
    "why_words",
]
