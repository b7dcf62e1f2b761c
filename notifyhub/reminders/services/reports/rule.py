"""The report of one rule: by step what went and what did not, and what came of it against the holdout.

A fixed number of queries, each bounded by the rule and the days asked for.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from notifyhub.reminders.models import Reminder, ReminderRule, RuleVersion
from notifyhub.reminders.services.reports.shares import Difference, Share, compare

# Handed over later than this after it was due is late.
LATE = timedelta(minutes=5)
State = Reminder.State

_ROWS = """
SELECT r.step, r.state, r.reason, count(*),
       count(*) FILTER (WHERE r.state = 'dispatched' AND r.settled_at > r.due_at + %(late)s)
FROM reminders_reminder r {occasion}
WHERE r.rule_id = %(rule)s AND r.due_at >= %(since)s AND r.due_at < %(until)s {version}
GROUP BY 1, 2, 3
"""
_MESSAGES = """
WITH d AS MATERIALIZED (
    SELECT DISTINCT r.step, r.dispatch_id FROM reminders_reminder r {occasion}
    WHERE r.rule_id = %(rule)s AND r.due_at >= %(since)s AND r.due_at < %(until)s
      AND r.dispatch_id IS NOT NULL {version}
)
SELECT d.step, sum(m.sent + m.delivered), sum(m.delivered), sum(m.failed), sum(m.unknown)
FROM d JOIN messaging_dispatch m ON m.id = d.dispatch_id GROUP BY 1
"""
_ANSWERS = """
WITH d AS MATERIALIZED (
    SELECT DISTINCT r.step, r.dispatch_id FROM reminders_reminder r {occasion}
    WHERE r.rule_id = %(rule)s AND r.due_at >= %(since)s AND r.due_at < %(until)s
      AND r.dispatch_id IS NOT NULL {version}
)
SELECT d.step, e.kind, count(DISTINCT e.delivery_id)
FROM d JOIN messaging_deliveryevent e ON e.dispatch_id = d.dispatch_id
WHERE e.kind IN ('read', 'clicked', 'unsubscribed', 'complained') AND e.at >= %(since)s
GROUP BY 1, 2
"""
_OCCASIONS = """
SELECT o.held_out, o.done_step, count(*), count(o.done_at),
       count(*) FILTER (WHERE o.anchor_at <= now()),
       count(*) FILTER (WHERE o.anchor_at <= now() AND o.done_at <= o.anchor_at),
       count(*) FILTER (WHERE o.anchor_at <= now() - interval '1 day'),
       count(*) FILTER (WHERE o.anchor_at <= now() - interval '1 day' AND ord.fulfilled_at IS NULL
                          AND ord.state IN ('placed', 'paid', 'confirmed'))
FROM reminders_occasion o LEFT JOIN customers_order ord ON ord.id = o.order_id
WHERE o.rule_id = %(rule)s AND o.started_at >= %(since)s AND o.started_at < %(until)s {version}
GROUP BY 1, 2
"""


@dataclass(kw_only=True)
class StepLine:
    """What became of one step. `due` is the sum of sent, stopped, skipped, held out and open."""

    number: int
    sent: int = 0
    stopped: int = 0
    skipped: int = 0
    held_out: int = 0
    open: int = 0
    late: int = 0
    handed: int = 0
    delivered: int = 0
    failed: int = 0
    unknown: int = 0
    done_before: int = 0
    reasons: dict[tuple[str, str], int] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)

    @property
    def due(self) -> int:
        """Return how many came due."""
        return self.sent + self.stopped + self.skipped + self.held_out + self.open


@dataclass(kw_only=True)
class Report:
    """A rule over some days: its steps, its occasions, and the shares that tell whether it helps."""

    since: datetime
    until: datetime
    steps: list[StepLine]
    occasions: int
    reminded: Share
    held_out: Share
    difference: Difference | None
    done_by_step: list[tuple[int, int]]
    overdue: tuple[Share, Share] | None
    no_show: tuple[Share, Share] | None


def report_rule(
    *, rule: ReminderRule, days: int = 30, version: RuleVersion | None = None, now: datetime | None = None
) -> Report:
    """Return what the rule (or one version of it) did in the last days."""
    until = now or timezone.now()
    since = until - timedelta(days=days)
    params: dict[str, Any] = {"rule": rule.pk, "since": since, "until": until, "late": LATE}
    parts = {"occasion": "", "version": ""}
    if version is not None:
        params["version"] = version.pk
        parts = {
            "occasion": "JOIN reminders_occasion o ON o.id = r.occasion_id",
            "version": "AND o.rule_version_id = %(version)s",
        }
    lines: dict[int, StepLine] = {}
    for step, state, reason, count, late in _ask(_ROWS.format(**parts), params):
        _add(lines.setdefault(step, StepLine(number=step)), state, reason, count, late)
    for step, sent, delivered, failed, unknown in _ask(_MESSAGES.format(**parts), params):
        line = lines.setdefault(step, StepLine(number=step))
        line.handed, line.delivered, line.failed, line.unknown = (
            int(sent),
            int(delivered),
            int(failed),
            int(unknown),
        )
    for step, kind, count in _ask(_ANSWERS.format(**parts), params):
        lines.setdefault(step, StepLine(number=step)).answers[kind] = count
    steps = _ordered(rule, lines)
    return _with_occasions(rule, steps, _ask(_OCCASIONS.format(**parts), params), since, until)


def _ask(sql: str, params: dict[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def _add(line: StepLine, state: str, reason: str, count: int, late: int) -> None:
    line.late += late
    if state == State.DISPATCHED:
        line.sent += count
    elif state == State.STOPPED:
        line.stopped += count
    elif state == State.PLANNED:
        line.open += count
    elif reason == Reminder.Reason.HELD_OUT:
        line.held_out += count
    else:
        line.skipped += count
    if reason and reason != Reminder.Reason.HELD_OUT:
        line.reasons[state, reason] = line.reasons.get((state, reason), 0) + count
    if reason == Reminder.Reason.LATE:
        line.late += count


def _ordered(rule: ReminderRule, lines: dict[int, StepLine]) -> list[StepLine]:
    """Return the lines as the rule orders its steps, those of former versions last."""
    order = [step.number for step in rule.live.steps.all()] if rule.live else []
    for number in order:
        lines.setdefault(number, StepLine(number=number))
    return [lines[n] for n in [*order, *sorted(n for n in lines if n not in order)]]


def _with_occasions(
    rule: ReminderRule, steps: list[StepLine], rows: list[Any], since: datetime, until: datetime
) -> Report:
    sums: dict[bool, list[int]] = {True: [0] * 6, False: [0] * 6}
    done_after: dict[int, int] = defaultdict(int)
    for held_out, done_step, *counts in rows:
        sums[held_out] = [a + b for a, b in zip(sums[held_out], counts, strict=True)]
        if not held_out and counts[1]:
            done_after[done_step or 0] += counts[1]
    done = done_after.get(0, 0)
    for line in steps:
        line.done_before = done
        done += done_after.get(line.number, 0)
    reminded = Share(done=sums[False][1], all=sums[False][0])
    held = Share(done=sums[True][1], all=sums[True][0])
    live = rule.live
    by_bill = live is not None and live.date_field == RuleVersion.OrderDate.DUE
    by_stay = live is not None and live.date_field == RuleVersion.OrderDate.STARTS
    return Report(
        since=since,
        until=until,
        steps=steps,
        occasions=reminded.all + held.all,
        reminded=reminded,
        held_out=held,
        difference=compare(reminded, held),
        done_by_step=[
            (0, done_after.get(0, 0)),
            *((line.number, done_after.get(line.number, 0)) for line in steps),
        ],
        overdue=_pair(sums, lambda one: Share(done=one[2] - one[3], all=one[2])) if by_bill else None,
        no_show=_pair(sums, lambda one: Share(done=one[5], all=one[4])) if by_stay else None,
    )


def _pair(sums: dict[bool, list[int]], share: Any) -> tuple[Share, Share]:
    return share(sums[False]), share(sums[True])
