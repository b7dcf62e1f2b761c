"""The demo sends days of messages within a minute, at whatever hour: meanwhile nothing is limited."""

from collections.abc import Callable
from typing import Any

from notifyhub.messaging.models import ChannelPolicy, SendingPolicy

LIMITS = (
    "quiet_from",
    "quiet_until",
    "cap_day",
    "cap_week",
    "subject_gap_hours",
    "subject_max",
    "duplicate_hours",
)
_policies: dict[str, dict[str, Any]] = {}
_rules: list[ChannelPolicy] = []


def lift_limits(say: Callable[[str], None]) -> None:
    """Take all limits away before the first demo message, and remember them."""
    _policies.update(
        {row.pop("message_class"): row for row in SendingPolicy.objects.values("message_class", *LIMITS)}
    )
    _rules[:] = ChannelPolicy.objects.all()
    ChannelPolicy.objects.all().delete()
    SendingPolicy.objects.update(**{**dict.fromkeys(LIMITS), "duplicate_hours": 0})


def set_limits(say: Callable[[str], None]) -> None:
    """Give each class its limits back."""
    for message_class, limits in _policies.items():
        SendingPolicy.objects.filter(message_class=message_class).update(**limits)
    ChannelPolicy.objects.bulk_create(_rules)
    say("Quiet hours and frequency caps are in force again")
