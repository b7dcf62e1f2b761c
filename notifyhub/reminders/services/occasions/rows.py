"""The due rows of running occasions: made, moved with their date, taken up again; right ones untouched."""

from datetime import datetime
from typing import Any

from django.db import connection

from notifyhub.reminders.models import ReminderRule, ReminderStep, RuleVersion
from notifyhub.reminders.services.due_sql import due_rows, lines_of
from notifyhub.reminders.services.due_sql.anchors import Anchors
from notifyhub.reminders.services.due_sql.zones import ZONE, ZONE_JOIN, zone_params

_OCCASIONS = f"""
    SELECT o.id AS occasion_id, o.customer_id, o.subject_ref, o.occurrence, o.anchor_at, {ZONE} AS zone
    FROM reminders_occasion o JOIN customers_customer c ON c.id = o.customer_id
    {ZONE_JOIN}
    WHERE o.rule_version_id = %(version)s AND o.state = 'running' AND {{picked}}
"""

# What is fresh has no index and its size is not known beforehand: NOT IN looks it up in a table of hashes,
# where an anti-join may read all of it for each row.
_WRITE = """
WITH fresh AS MATERIALIZED (
    SELECT d.*, CASE WHEN d.off THEN 'off_day'
        WHEN d.due_at < %(now)s - %(grace)s * interval '1 hour' THEN 'late' ELSE '' END AS reason
    FROM ({due}) d WHERE d.due_at >= %(since)s
), made AS (
    INSERT INTO reminders_reminder (occasion_id, rule_id, step, round, customer_id, subject_ref, occurrence,
        due_at, wanted_at, state, reason, detail, created_at, settled_at)
    SELECT f.occasion_id, %(rule)s, f.step, f.round, f.customer_id, f.subject_ref, f.occurrence, f.due_at,
           CASE WHEN f.wanted_at <> f.due_at THEN f.wanted_at END,
           CASE WHEN f.reason = '' THEN 'planned' ELSE 'skipped' END, f.reason, '', %(now)s,
           CASE WHEN f.reason <> '' THEN %(now)s END
    FROM fresh f
    WHERE NOT EXISTS (
        SELECT 1 FROM reminders_reminder r
        WHERE r.rule_id = %(rule)s AND r.subject_ref = f.subject_ref AND r.step = f.step
          AND r.occurrence = f.occurrence AND r.round = f.round
          AND (r.state = 'dispatched' OR (r.due_at = f.due_at AND (
              (r.state = 'planned' AND f.reason = '' AND r.customer_id = f.customer_id)
              OR (r.state = 'skipped' AND (r.reason <> 'off_day' OR f.reason = 'off_day'))))))
    ON CONFLICT (rule_id, subject_ref, step, occurrence, round) DO UPDATE
        SET due_at = EXCLUDED.due_at, wanted_at = EXCLUDED.wanted_at, customer_id = EXCLUDED.customer_id,
            state = EXCLUDED.state, reason = EXCLUDED.reason, detail = '', settled_at = EXCLUDED.settled_at
        WHERE reminders_reminder.state <> 'dispatched'
    RETURNING 1
), gone AS (
    UPDATE reminders_reminder r
    SET state = CASE WHEN r.step = ANY(%(l_step)s) THEN 'skipped' ELSE 'stopped' END,
        reason = CASE WHEN r.step = ANY(%(l_step)s) THEN 'late' ELSE 'step_gone' END, settled_at = %(now)s
    FROM reminders_occasion o
    WHERE r.occasion_id = o.id AND r.state = 'planned'
      AND o.rule_version_id = %(version)s AND o.state = 'running' AND {picked}
      AND (r.occasion_id, r.step, r.round) NOT IN (SELECT f.occasion_id, f.step, f.round FROM fresh f)
    RETURNING 1
)
SELECT (SELECT count(*) FROM made) + (SELECT count(*) FROM gone)
"""


def write_rows(
    rule: ReminderRule,
    version: RuleVersion,
    steps: list[ReminderStep],
    *,
    now: datetime,
    picked: str,
    params: dict[str, Any],
) -> int:
    """Bring the rows of the version's running occasions that `picked` (SQL over o) names up to their dates.

    Return how many rows changed.
    """
    anchors = Anchors(sql=_OCCASIONS.format(picked=picked), params={**zone_params(), **params})
    due, values = due_rows(version, lines_of(steps), now=now, anchors=anchors)
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE.format(due=due, picked=picked),
            {
                **values,
                "rule": rule.pk,
                "version": version.pk,
                "now": now,
                "since": rule.activated_at,
                "grace": version.grace_hours,
            },
        )
        return int(cursor.fetchone()[0])
