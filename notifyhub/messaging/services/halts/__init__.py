"""What somebody ordered to stand still, and letting it go on."""

from notifyhub.messaging.services.halts.orders import HaltLine, halts_in_force, lift_halt, place_halt
from notifyhub.messaging.services.halts.restored import (
    cancel_overdue,
    count_overdue,
    held_before,
    release_overdue,
    start_cancelling_overdue,
)

__all__ = [
    "HaltLine",
    "cancel_overdue",
    "count_overdue",
    "halts_in_force",
    "held_before",
    "lift_halt",
    "place_halt",
    "release_overdue",
    "start_cancelling_overdue",
]
