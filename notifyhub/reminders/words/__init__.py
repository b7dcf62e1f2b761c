"""A rule in plain words, in the reader's language: of a version as saved, or of a rule as typed."""

from notifyhub.reminders.words.differences import Difference, differences
from notifyhub.reminders.words.rule import Part, describe
from notifyhub.reminders.words.steps import chain_words, step_when

__all__ = ["Difference", "Part", "chain_words", "describe", "differences", "step_when"]
