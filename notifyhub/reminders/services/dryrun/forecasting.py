"""How many reminders by day and step in the days to come."""

from collections import defaultdict
from datetime import date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from notifyhub.reminders.models import ReminderStep, RuleVersion
from notifyhub.reminders.services.dryrun.asking import RULE_ROW, ask, steps_of, version_row
from notifyhub.reminders.services.due_sql import due_rows, event_anchors, lines_of
from notifyhub.reminders.services.due_sql.anchors import order_statuses
from notifyhub.reminders.services.occasions.beginning import HELD_OUT
from notifyhub.reminders.services.stopping import WHY_AT_FIRST

# What happened on the same weekday in these days is expected to happen again.
SAMPLE_WEEKS = 4
LONGEST_LAG = 400

# Counted from the facts as they stand, planned or not; what was sent or settled already is left out.
_DATED = f"""
SELECT (f.due_at AT TIME ZONE %(home)s)::date AS day, f.step, count(*) AS n
FROM ({{due}}) f
CROSS JOIN {{version}} CROSS JOIN {RULE_ROW}
JOIN customers_customer c ON c.id = f.customer_id
LEFT JOIN customers_order ord ON ord.id = f.order_id
WHERE NOT f.off AND f.due_at >= %(now)s AND f.due_at < %(until)s
  AND ({WHY_AT_FIRST}) IS NULL AND {{held_out}} >= %(holdout)s
  AND NOT EXISTS (
      SELECT 1 FROM reminders_reminder r
      WHERE r.rule_id = %(rule)s AND r.subject_ref = f.subject_ref AND r.step = f.step AND r.round = f.round
        AND r.state <> 'planned' AND r.due_at = f.due_at)
GROUP BY 1, 2
"""

_PLANNED = """
SELECT (r.due_at AT TIME ZONE %(home)s)::date AS day, r.step, count(*) AS n
FROM reminders_reminder r JOIN reminders_occasion o ON o.id = r.occasion_id AND NOT o.held_out
WHERE r.rule_id = %(rule)s AND r.state = 'planned' AND r.due_at >= %(now)s AND r.due_at < %(until)s
GROUP BY 1, 2
"""

_SAMPLE = """
SELECT extract(isodow FROM f.began_at AT TIME ZONE %(home)s)::int AS weekday, f.step,
       (f.due_at AT TIME ZONE %(home)s)::date - (f.began_at AT TIME ZONE %(home)s)::date AS lag, count(*) AS n
FROM ({due}) f WHERE NOT f.off AND {held_out} >= %(holdout)s
GROUP BY 1, 2, 3
"""


def is_estimated(version: RuleVersion) -> bool:
    """Say whether the forecast tells what to expect and not what is known: nobody knows tomorrow's events."""
    return version.start == RuleVersion.Start.EVENT


def forecast_days(
    version: RuleVersion,
    days: int = 30,
    *,
    steps: list[ReminderStep] | None = None,
    now: datetime | None = None,
) -> list[tuple[date, int, int]]:
    """Return (day, step number, reminders) for the next days, in order; days and steps without any left out.

    What no gate has looked at yet is counted as going. A rule that starts by events is estimated from what
    happened on the same weekdays of the last four weeks, added to what is planned already. Raises Refused if
    the counting takes too long. `steps` are named for a version that is not saved.
    """
    now = now or timezone.now()
    steps = steps_of(version, steps)
    if not steps:
        return []
    params = {
        "now": now,
        "until": now + timedelta(days=days),
        "home": settings.TIME_ZONE,
        "rule": version.rule_id,
        "holdout": version.holdout,
    }
    if version.start == RuleVersion.Start.EVENT:
        return _expected(version, steps, days=days, now=now, params=params)
    due, values = due_rows(version, lines_of(steps), now=now, ahead=timedelta(days=days))
    row, more = version_row(version)
    sql = _DATED.format(due=due, version=row, held_out=_held_out(version))
    found = ask(sql, {**values, **more, **params})
    return sorted((line["day"], line["step"], line["n"]) for line in found)


def _held_out(version: RuleVersion) -> str:
    return HELD_OUT.format(rule=version.rule_id or 0, customer="f.customer_id")


def _expected(
    version: RuleVersion, steps: list[ReminderStep], *, days: int, now: datetime, params: dict[str, Any]
) -> list[tuple[date, int, int]]:
    # Whole days: half of today's weekday would be missing on one end.
    today = now.astimezone(timezone.get_default_timezone()).date()
    midnight = timezone.make_aware(datetime.combine(today, time()))
    anchors = event_anchors(
        version,
        now=now,
        which="e.received_at >= %(since)s AND e.occurred_at >= %(since)s AND e.occurred_at < %(midnight)s",
        params={"since": midnight - timedelta(weeks=SAMPLE_WEEKS), "midnight": midnight},
        statuses=order_statuses(),
    )
    due, values = due_rows(version, lines_of(steps), now=now, anchors=anchors)
    sample = ask(_SAMPLE.format(due=due, held_out=_held_out(version)), {**values, **params})
    counts: dict[tuple[date, int], float] = defaultdict(float)
    until = today + timedelta(days=days)
    for line in sample:
        if not 0 <= line["lag"] <= LONGEST_LAG:
            continue
        for ahead in range(days):
            begins = today + timedelta(days=ahead)
            falls = begins + timedelta(days=line["lag"])
            if begins.isoweekday() == line["weekday"] and falls < until:
                counts[falls, line["step"]] += line["n"] / SAMPLE_WEEKS
    planned = ask(_PLANNED, params) if version.rule_id else []
    for line in planned:
        counts[line["day"], line["step"]] += line["n"]
    rounded = ((day, step, round(n)) for (day, step), n in counts.items())
    return sorted(line for line in rounded if line[2])
