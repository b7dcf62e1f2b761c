"""What each message class may use and how often: rows with a history, changed by operations."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from notifyhub.core.errors import Conflict, Refused
from notifyhub.customers.models.consent import Channel, MessageClass
from notifyhub.messaging.engine.limits import Policies
from notifyhub.messaging.models import ChannelPolicy, SendingPolicy
from notifyhub.messaging.services.retiming import Outcome, move_planned
from notifyhub.staff.services import audit

HOURS = ("quiet_from", "quiet_until")
CAPS = ("cap_day", "cap_week")
SUBJECT = ("subject_gap_hours", "subject_max")
# What means something for a class: nobody keeps a login code back, and only a service message has a subject.
FIELDS: dict[str, tuple[str, ...]] = {
    MessageClass.TRANSACTIONAL: ("channels", "duplicate_hours", "target_seconds"),
    MessageClass.SERVICE: ("channels", *HOURS, *SUBJECT, "duplicate_hours", "target_seconds"),
    MessageClass.PROMOTIONAL: ("channels", *HOURS, *CAPS, "duplicate_hours", "target_seconds"),
    MessageClass.INFORMATIONAL: ("channels", *HOURS, *CAPS, "duplicate_hours", "target_seconds"),
}
# What a channel may have of its own.
RULES: dict[str, tuple[str, ...]] = {
    MessageClass.TRANSACTIONAL: (),
    MessageClass.SERVICE: HOURS,
    MessageClass.PROMOTIONAL: (*HOURS, *CAPS),
    MessageClass.INFORMATIONAL: (*HOURS, *CAPS),
}
# Lowest and highest; the counters look back 90 days and a text is looked for a month.
RANGES = {
    "cap_day": (1, 1000),
    "cap_week": (1, 5000),
    "subject_gap_hours": (1, 24 * 60),
    "subject_max": (1, 1000),
    "duplicate_hours": (0, 24 * 30),
    "target_seconds": (1, 7 * 24 * 3600),
}
REQUIRED = ("duplicate_hours", "target_seconds")
Rules = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Saved:
    """The policy as it is now, and what its new hours did to what is planned already."""

    policy: SendingPolicy
    planned: Outcome


def rule_field(channel: str, name: str) -> str:
    """Return what a field of a channel's own rule is called in a form and in a refusal."""
    return f"{channel}__{name}"


@transaction.atomic
def update_policy(
    *, policy_id: int, changes: Mapping[str, Any], version: int | None, rules: Rules | None = None
) -> Saved:
    """Write what a message class may use; return the policy and what was moved by its hours.

    `rules` are the channels' own hours and caps: a channel named in it has exactly those, one with nothing
    set has none of its own. Raises Conflict if the policy changed since `version`, Refused (field = its
    name, or "channel__name") if a value cannot be.
    """
    policy = SendingPolicy.objects.select_for_update().get(pk=policy_id)
    if version is not None and policy.version != version:
        raise Conflict(
            _("Somebody changed this meanwhile. Your entries are kept; compare and save again."),
            current=policy.version,
        )
    allowed = FIELDS[policy.message_class]
    for name, value in changes.items():
        if name not in allowed:
            raise Refused(_("This means nothing for this message class."), field=name)
        _check_value(name, value, name)
        setattr(policy, name, value)
    if set(policy.channels) - set(Channel.values):
        raise Refused(_("Choose a channel."), field="channels")
    _check_together({name: getattr(policy, name) for name in (*HOURS, *CAPS)}, "")
    before = _hours(policy)
    policy.version += 1
    # save(), since the row keeps a history; it is locked and was read under the lock.
    policy.save()
    for channel, rule in (rules or {}).items():
        _write_rule(policy, channel, rule)
    after = _hours(policy)
    changed = [channel for channel in Channel.values if after[channel] != before[channel]]
    planned = Outcome()
    if changed:
        planned = move_planned(classes=[policy.message_class], channels=changed)
    audit.record(
        verb="update_policy",
        obj=policy,
        message_class=policy.message_class,
        **{name: _plain(value) for name, value in changes.items()},
        rules={one: {k: _plain(v) for k, v in rule.items()} for one, rule in (rules or {}).items()},
        batches_moved=planned.moved,
    )
    return Saved(policy=policy, planned=planned)


def _hours(policy: SendingPolicy) -> dict[str, Any]:
    """Return the quiet hours by channel as the engine reads them: its own, or those of all."""
    limits = Policies()
    return {channel: limits.limits(policy.message_class, channel).quiet for channel in Channel.values}


def _write_rule(policy: SendingPolicy, channel: str, rule: Mapping[str, Any]) -> None:
    if channel not in Channel.values:
        raise Refused(_("Choose a channel."), field="channels")
    for name, value in rule.items():
        place = rule_field(channel, name)
        if name not in RULES[policy.message_class]:
            raise Refused(_("This means nothing for this message class."), field=place)
        _check_value(name, value, place)
    _check_together(rule, channel)
    known = ChannelPolicy.objects.filter(policy=policy, channel=channel).first()
    if all(value is None for value in rule.values()):
        if known is not None:
            known.delete()
        return
    row = known or ChannelPolicy(policy=policy, channel=channel)
    if known is not None and all(getattr(row, name) == value for name, value in rule.items()):
        return
    for name, value in rule.items():
        setattr(row, name, value)
    row.save()


def _check_value(name: str, value: Any, place: str) -> None:
    if value is None and name in REQUIRED:
        raise Refused(_("This is missing."), field=place)
    if value is None or name not in RANGES:
        return
    low, high = RANGES[name]
    if not low <= value <= high:
        raise Refused(
            _("Choose a number from %(low)d to %(high)d.") % {"low": low, "high": high}, field=place
        )


def _check_together(values: Mapping[str, Any], channel: str) -> None:
    def place(name: str) -> str:
        return rule_field(channel, name) if channel else name

    since, until = values.get("quiet_from"), values.get("quiet_until")
    if (since is None) != (until is None):
        missing = "quiet_from" if since is None else "quiet_until"
        raise Refused(_("Quiet hours need a beginning and an end."), field=place(missing))
    day, week = values.get("cap_day"), values.get("cap_week")
    if day is not None and week is not None and week < day:
        raise Refused(
            _("This is less than the limit of one day, which could then never be reached."),
            field=place("cap_week"),
        )


def _plain(value: Any) -> Any:
    return value.strftime("%H:%M") if isinstance(value, time) else value
