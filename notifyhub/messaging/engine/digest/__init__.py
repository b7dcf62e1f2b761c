"""Gathering messages into digests: while planning, while closing, and in the gate."""

from notifyhub.messaging.engine.digest.clock import next_close
from notifyhub.messaging.engine.digest.gathering import Gathering, gathering_of
from notifyhub.messaging.engine.digest.variables import digest_variables
from notifyhub.messaging.engine.digest.wanted import ORIGIN, nothing_left

__all__ = ["ORIGIN", "Gathering", "digest_variables", "gathering_of", "next_close", "nothing_left"]
