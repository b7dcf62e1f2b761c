"""What can be stopped as a whole: each class and each channel, and whether it stands still."""

from typing import Any

from notifyhub.customers.models.consent import Channel, MessageClass
from notifyhub.messaging.looks import CHANNEL_ICONS
from notifyhub.messaging.services.halts import HaltLine


def read_parts(halts: list[HaltLine]) -> dict[str, list[dict[str, Any]]]:
    """Return the classes and the channels with the halt that is in force on each; no query."""
    placed = {(one.scope, one.value): one for one in halts}
    return {
        "classes": [
            {"code": one.value, "label": one.label, "halt": placed.get(("class", one.value))}
            for one in MessageClass
        ],
        "channels": [
            {
                "code": one.value,
                "label": one.label,
                "icon": CHANNEL_ICONS[one],
                "halt": placed.get(("channel", one.value)),
            }
            for one in Channel
        ],
    }
