"""The rows without which nothing could be sent, made after migrating and never changed again by us."""

from typing import Any

from django.utils.translation import override

from notifyhub.customers.models.consent import Channel, MessageClass
from notifyhub.messaging.models import ProviderAccount, SendingPolicy

# From due to handed over, in seconds: what a class promises unless its policy says otherwise.
TARGETS = {
    MessageClass.TRANSACTIONAL: 10,
    MessageClass.SERVICE: 120,
    MessageClass.PROMOTIONAL: 1800,
    MessageClass.INFORMATIONAL: 1800,
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
        SendingPolicy.objects.get_or_create(
            message_class=message_class.value,
            defaults={"channels": list(Channel.values), "target_seconds": TARGETS[message_class]},
        )
