"""How punctual sending is: from due (or accepted, the later) to handed over."""

from notifyhub.messaging.services.punctuality.reading import ClassLine, percentile, punctuality_lines
from notifyhub.messaging.services.punctuality.rolling import BOUNDS, CAUSES, roll_up

__all__ = ["BOUNDS", "CAUSES", "ClassLine", "percentile", "punctuality_lines", "roll_up"]
