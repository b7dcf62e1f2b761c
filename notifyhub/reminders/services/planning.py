"""Planning: what begins, moves and ends, set-wise and harmless to repeat.

Orders change by events, which `following` hears within seconds; this is the whole round, once in an hour and
right after a rule was changed. It looks far enough ahead to need no more.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import Error, connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from notifyhub.reminders.models import Occasion, ReminderRule, ReminderStep, RuleVersion
from notifyhub.reminders.services import goals, stopping
from notifyhub.reminders.services.due_sql import anchors_of, lines_of, reach_of
from notifyhub.reminders.services.locks import expect_many, know_tables, lock_rule
from notifyhub.reminders.services.occasions import adopt_version, begin_dated, follow_dates, write_rows

logger = logging.getLogger(__name__)

# Occasions begin this far ahead of their first step, so that the customer's page can say what is coming.
HORIZON = timedelta(days=7)
EVERY = timedelta(hours=1)
# Between two whole rounds nobody else looks whether a date has come near.
EDGE = 2 * EVERY
# Of an outage longer than this, what came due before is not even told as missed.
LONGEST_OUTAGE = timedelta(days=30)
# What stopped longer ago goes on only if an event of the customer says so, not by looking at all that ended.
LONGEST_STOP = timedelta(days=60)
# Rows that one transaction looks at.
CHUNK = 50_000

_CHUNK = """
SELECT max(id), count(*) FROM (
    SELECT o.id FROM reminders_occasion o
    WHERE o.rule_id = %s AND o.state = 'running' AND o.id > %s ORDER BY o.id LIMIT %s) k
"""

# The shortest grace is an hour: the second condition lets the index on due_at find the few rows there are.
_LATE = """
UPDATE reminders_reminder r SET state = 'skipped', reason = 'late', settled_at = %(now)s
FROM reminders_occasion o JOIN reminders_ruleversion v ON v.id = o.rule_version_id
WHERE o.id = r.occasion_id AND r.state = 'planned'
  AND r.due_at < %(now)s - v.grace_hours * interval '1 hour' AND r.due_at < %(now)s - interval '1 hour'
RETURNING r.occasion_id
"""


def skip_late(*, now: datetime | None = None) -> int:
    """Skip what is past its grace, and say so; return how many rows."""
    now = now or timezone.now()
    with transaction.atomic(), connection.cursor() as cursor:
        expect_many()
        cursor.execute(_LATE, {"now": now})
        late = [row[0] for row in cursor.fetchall()]
        if late:
            stopping.close_through("o.id = ANY(%(ids)s)", {"ids": late}, now=now)
    return len(late)


def stop_reminders(*, now: datetime | None = None) -> int:
    """End what belongs to rules that are off, and what is past its grace; return how many rows."""
    off = "o.rule_id IN (SELECT id FROM reminders_reminderrule WHERE state <> 'active')"
    return stopping.end_stopped(off, now=now) + skip_late(now=now)


def versions_of(rule: ReminderRule) -> list[tuple[RuleVersion, list[ReminderStep]]]:
    """Return the versions by which something of the rule is running, the one in force among them."""
    running = Occasion.objects.filter(rule_version=OuterRef("pk"), state=Occasion.State.RUNNING)
    rows = RuleVersion.objects.filter(rule=rule).filter(Q(pk=rule.live_id) | Exists(running))
    rows = rows.select_related("calendar").prefetch_related("steps")
    return [(version, list(version.steps.all())) for version in rows]


def back_of(rule: ReminderRule, version: RuleVersion, *, now: datetime) -> timedelta:
    """Return how far back something due still counts: the grace, or the time that nobody planned."""
    grace = timedelta(hours=version.grace_hours)
    if rule.planned_at is None:
        return grace
    return min(max(grace, now - rule.planned_at + EVERY), LONGEST_OUTAGE)


def plan_rule(rule: ReminderRule, *, now: datetime, customer_ids: list[int] | None = None) -> int:
    """Begin, move and end what the rule's dates and the state of things ask for; return the rows changed.

    With `customer_ids` only theirs.
    """
    picked, params = "o.rule_id = %(rule)s", {"rule": rule.pk, "customers": customer_ids}
    if customer_ids is not None:
        picked += " AND o.customer_id = ANY(%(customers)s)"
    versions = versions_of(rule)
    live, steps = next(pair for pair in versions if pair[0].pk == rule.live_id)
    with transaction.atomic():
        expect_many()
        lock_rule(rule.pk)
        if customer_ids is None:
            adopt_version(rule)
        changed = 0
        lately = "true" if customer_ids is not None else "o.ended_at > %(lately)s"
        stopping.resume_stopped(f"{picked} AND {lately}", {**params, "lately": now - LONGEST_STOP})
        if live.start != RuleVersion.Start.EVENT:
            back = back_of(rule, live, now=now)
            first, last = reach_of(live, lines_of(steps), now=now, back=back, ahead=HORIZON + EDGE)
            anchors = anchors_of(live, now=now, first=first, last=last, customer_ids=customer_ids)
            changed += follow_dates(rule, live, now=now, anchors=anchors, customer_ids=customer_ids)
            begun = begin_dated(
                rule, live, steps, now=now, back=back, ahead=HORIZON + EDGE, customer_ids=customer_ids
            )
            know_tables(len(begun))
        if customer_ids is not None:
            changed += _write(rule, versions, now=now, picked=picked, params=params)
            return changed
    return changed + _write_all(rule, versions, now=now)


Versions = list[tuple[RuleVersion, list[ReminderStep]]]


def _write(
    rule: ReminderRule, versions: Versions, *, now: datetime, picked: str, params: dict[str, Any]
) -> int:
    """Write rows first and end what must not go after: so each row can say why it stopped."""
    changed = sum(
        write_rows(rule, version, steps, now=now, picked=picked, params=params) for version, steps in versions
    )
    know_tables(changed)
    goals.mark_done(picked, params, now=now)
    changed += stopping.end_stopped(picked, params, now=now)
    stopping.close_through(picked, params, now=now)
    return changed


def _write_all(rule: ReminderRule, versions: Versions, *, now: datetime) -> int:
    changed, cursor_at = 0, 0
    picked = "o.rule_id = %(rule)s AND o.id > %(low)s AND o.id <= %(high)s"
    lines = max(sum(step.repeat_max for step in steps) for _version, steps in versions)
    while True:
        with transaction.atomic():
            expect_many()
            lock_rule(rule.pk)
            with connection.cursor() as cursor:
                cursor.execute(_CHUNK, [rule.pk, cursor_at, max(CHUNK // max(lines, 1), 1000)])
                high, found = cursor.fetchone()
            if not found:
                return changed
            params = {"rule": rule.pk, "low": cursor_at, "high": high}
            changed += _write(rule, versions, now=now, picked=picked, params=params)
        cursor_at = high


def plan_reminders(*, now: datetime | None = None) -> int:
    """End what is no longer due, plan each active rule whose round has come; return how many rows changed.

    A rule that fails keeps no other from being planned; its error is raised in the end, for the tick's row.
    """
    now = now or timezone.now()
    changed = stop_reminders(now=now)
    rules = ReminderRule.objects.filter(state=ReminderRule.State.ACTIVE, live__isnull=False).filter(
        Q(planned_at=None) | Q(planned_at__lte=now - EVERY)
    )
    failure: Error | None = None
    for rule in rules.select_related("live"):
        try:
            changed += plan_rule(rule, now=now)
        except Error as error:
            logger.exception("Reminder rule %s could not be planned.", rule.pk)
            failure = error
        else:
            # Guarded: somebody who edits the rule at this moment wants it planned again.
            same = ReminderRule.objects.filter(pk=rule.pk, version=rule.version, planned_at=rule.planned_at)
            same.update(planned_at=now)
    if failure is not None:
        raise failure
    return changed
