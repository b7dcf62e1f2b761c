"""Ready-made rules: one click makes a draft with its texts; nothing goes out until people switch it on."""

from notifyhub.reminders.examples.making import make_rule
from notifyhub.reminders.examples.rules import EXAMPLES, Example, Line

__all__ = ["EXAMPLES", "Example", "Line", "make_rule"]
