"""The rows without which nothing could be sent, made after migrating and never changed again by us."""

from datetime import time
from typing import Any

from django.utils.translation import override

from notifyhub.customers.models.consent import Channel, MessageClass
from notifyhub.messaging.models import ChannelPolicy, ProviderAccount, SendingPolicy

# What a house begins with: nobody is woken up, nobody is swamped. Somebody waits for a transactional one.
LIMITS: dict[str, dict[str, Any]] = {
    MessageClass.TRANSACTIONAL: {"duplicate_hours": 0, "target_seconds": 10},
    MessageClass.SERVICE: {
        "quiet_from": time(22),
        "quiet_until": time(8),
        "subject_gap_hours": 20,
        "subject_max": 5,
        "target_seconds": 120,
    },
    MessageClass.PROMOTIONAL: {
        "quiet_from": time(21),
        "quiet_until": time(9),
        "cap_day": 3,
        "cap_week": 10,
        "target_seconds": 1800,
    },
    MessageClass.INFORMATIONAL: {
        "quiet_from": time(22),
        "quiet_until": time(8),
        "cap_day": 5,
        "cap_week": 20,
        "target_seconds": 1800,
    },
}
# An SMS costs money and attention.
CHANNEL_LIMITS: dict[str, dict[str, dict[str, Any]]] = {
    MessageClass.PROMOTIONAL: {Channel.SMS: {"cap_day": 1, "cap_week": 4}},
    MessageClass.INFORMATIONAL: {Channel.SMS: {"cap_day": 2, "cap_week": 6}},
}


def create_defaults(**kwargs: Any) -> None:
    """Make one sandbox account per channel and one policy per message class, where there is none.

    The sandbox stands behind every real account of its channel and serves only while there is none.
    """
    known = set(ProviderAccount.objects.filter(backend="sandbox").values_list("channel", flat=True))
    with override("en"):
        for channel in Channel:
            if channel.value not in known:
                ProviderAccount.objects.get_or_create(
                    name=f"Sandbox · {channel.label}",
                    defaults={"channel": channel.value, "backend": "sandbox", "priority": 1000},
                )
    for message_class in MessageClass:
        policy, made = SendingPolicy.objects.get_or_create(
            message_class=message_class.value,
            defaults={"channels": list(Channel.values), **LIMITS[message_class]},
        )
        for rule, limits in CHANNEL_LIMITS.get(message_class, {}).items() if made else ():
            ChannelPolicy.objects.get_or_create(policy=policy, channel=rule, defaults=limits)
