"""The quick road: an event that a step without an offset waits for is answered at once.

The signal rings a task with the events' ids. Ring and task may be lost or doubled: the tick that follows the
events begins the same occasions, and the rows are unique.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from celery import current_app
from django.utils import timezone

from notifyhub.core.doorbell import ring
from notifyhub.reminders.models import ReminderRule, ReminderStep, RuleVersion
from notifyhub.reminders.services.following.hearing import start_rule
from notifyhub.reminders.services.sending.handing import hand_over

AT_ONCE = "reminders.begin_at_once"
# More ids than this are an import or a flood: the tick takes them set-wise.
MOST = 500

_UNITS = (ReminderStep.Unit.MINUTES, ReminderStep.Unit.HOURS)


def rules_at_once(names: Sequence[str]) -> list[ReminderRule]:
    """Return the active rules that one of these events starts and that have a step without an offset."""
    rows = ReminderRule.objects.filter(
        live__steps__amount=0,
        live__steps__unit__in=_UNITS,
        state=ReminderRule.State.ACTIVE,
        live__start=RuleVersion.Start.EVENT,
        live__event_name__in=names,
        live__date_field="",
    )
    return list(rows.select_related("live").distinct())


def on_events_recorded(events: Mapping[str, Sequence[int]], **kwargs: Any) -> None:
    """Receiver of the customers' signal: ring for the events that something waits for."""
    waited = {rule.live.event_name for rule in rules_at_once(list(events)) if rule.live}
    for name in sorted(waited):
        ids = list(events[name])
        if len(ids) <= MOST:
            ring(current_app.signature(AT_ONCE), name, ids, queue="realtime")


def begin_at_once(*, name: str, ids: Sequence[int], now: datetime | None = None) -> int:
    """Begin what these events start and hand over the steps without an offset; return how many went."""
    now = now or timezone.now()
    sent = 0
    for rule in rules_at_once([name]):
        _changed, begun = start_rule(
            rule, now=now, which="e.id = ANY(%(ids)s)", params={"ids": list(ids)}
        )
        if not begun:
            continue
        steps = ReminderStep.objects.filter(rule_version=rule.live_id, amount=0, unit__in=_UNITS)
        for step in steps.select_related(
            "rule_version__rule__owner", "rule_version__rule__owner_team", "template__topic"
        ):
            sent += hand_over(version=step.rule_version, step=step, now=now, only=begun)
    return sent
