"""The quick road: an event that a step without an offset waits for is answered at once.

The signal rings a task with the events' ids. Ring and task may be lost or doubled: the tick that follows the
events begins the same occasions, and the rows are unique.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from celery import current_app
from django.db import connection
from django.utils import timezone

from notifyhub.core.doorbell import ring
from notifyhub.reminders.models import ReminderRule, RuleVersion
from notifyhub.reminders.services.following.starting import EXACT_UNITS, hand_over_at_once, start_rule

AT_ONCE = "reminders.begin_at_once"
# More ids than this are an import or a flood: the tick takes them set-wise.
MOST = 500

# Bells that wait behind a busy worker are answered together: each takes along what came after its own events,
# and the next finds nothing left to do.
_WAITING = """
SELECT e.id FROM customers_event e
WHERE e.name = %(name)s AND e.id >= %(first)s AND NOT EXISTS (
    SELECT 1 FROM reminders_occasion o
    WHERE o.customer_id = e.customer_id AND o.rule_id = %(rule)s AND o.event_id = e.id)
ORDER BY e.id LIMIT %(most)s
"""


def rules_at_once(names: Sequence[str]) -> list[ReminderRule]:
    """Return the active rules that one of these events starts and that have a step without an offset."""
    rows = ReminderRule.objects.filter(
        live__steps__amount=0,
        live__steps__unit__in=EXACT_UNITS,
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


def _waiting(rule: ReminderRule, name: str, first: int) -> list[int]:
    params: dict[str, Any] = {"name": name, "first": first, "rule": rule.pk, "most": MOST}
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, params)
        return [row[0] for row in cursor.fetchall()]


def begin_at_once(*, name: str, ids: Sequence[int], now: datetime | None = None) -> int:
    """Begin what these events, and those of the name after them, start, and hand over what goes at once.

    Return how many reminders went.
    """
    sent = 0
    for rule in rules_at_once([name]):
        waiting = _waiting(rule, name, min(ids, default=0))
        if not waiting:
            continue
        # The clock is read after the events: what came a moment ago is due, not to come.
        moment = now or timezone.now()
        _changed, begun = start_rule(rule, now=moment, which="e.id = ANY(%(ids)s)", params={"ids": waiting})
        sent += hand_over_at_once(rule, begun, now=moment)
    return sent
