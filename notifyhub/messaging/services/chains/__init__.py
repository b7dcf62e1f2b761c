"""The fallback chain in words and numbers: what each step waits for, and how far it is."""

from notifyhub.messaging.services.chains.counting import StepCounts, steps_of
from notifyhub.messaging.services.chains.expecting import StepOutlook, expect_steps
from notifyhub.messaging.services.chains.leaving_out import LeftOut, steps_left_out
from notifyhub.messaging.services.chains.telling import Told, tell_steps
from notifyhub.messaging.services.chains.wording import StepWords, describe_chain

__all__ = [
    "LeftOut",
    "StepCounts",
    "StepOutlook",
    "StepWords",
    "Told",
    "describe_chain",
    "expect_steps",
    "steps_left_out",
    "steps_of",
    "tell_steps",
]
