"""Beginning what events start, and handing over what goes at once."""

from datetime import datetime
from typing import Any

from django.db import transaction

from notifyhub.reminders.models import ReminderRule, ReminderStep
from notifyhub.reminders.services import stopping
from notifyhub.reminders.services.locks import expect_many, lock_rule
from notifyhub.reminders.services.occasions import begin_events
from notifyhub.reminders.services.occasions.rows import write_rows
from notifyhub.reminders.services.planning import versions_of
from notifyhub.reminders.services.sending.handing import hand_over

# A step of no minutes or hours goes the moment its event comes; one of no days waits for its hour.
EXACT_UNITS = (ReminderStep.Unit.MINUTES, ReminderStep.Unit.HOURS)


def start_rule(
    rule: ReminderRule, *, now: datetime, which: str, params: dict[str, Any]
) -> tuple[int, list[int]]:
    """Begin what the events picked by `which` start; return how many rows changed, and the occasions."""
    with transaction.atomic():
        expect_many()
        lock_rule(rule.pk)
        versions = versions_of(rule)
        live, steps = next(pair for pair in versions if pair[0].pk == rule.live_id)
        begun = begin_events(rule, live, steps, now=now, which=which, params=params)
        if not begun:
            return 0, []
        picked, those = "o.id = ANY(%(begun)s)", {"begun": begun}
        # One that was restarted may still be on an older version.
        changed = sum(
            write_rows(rule, version, lines, now=now, picked=picked, params=those)
            for version, lines in versions
        )
        stopping.close_through(picked, those, now=now)
        return changed, begun


def hand_over_at_once(rule: ReminderRule, begun: list[int], *, now: datetime) -> int:
    """Hand over the steps without an offset of occasions that have just begun; return how many went."""
    if not begun:
        return 0
    steps = ReminderStep.objects.filter(rule_version=rule.live_id, amount=0, unit__in=EXACT_UNITS)
    related = ("rule_version__rule__owner", "rule_version__rule__owner_team", "template__topic")
    return sum(
        hand_over(version=step.rule_version, step=step, now=now, only=begun)
        for step in steps.select_related(*related)
    )
