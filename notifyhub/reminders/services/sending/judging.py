"""What becomes of rows that are due: each goes, or is settled with the reason said on its page."""

from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.reminders.models import RuleVersion
from notifyhub.reminders.registry import skip_conditions
from notifyhub.reminders.services.locks import lock_rule
from notifyhub.reminders.services.params import named
from notifyhub.reminders.services.stopping import OCCASION_OF_ROW, WHY

# Bounds one transaction; what is left goes with the next round of the same tick.
LIMIT = 50_000

# Rows that another tick has in hand are left to it. Of the rounds of a step that an outage let come due
# together only the last one goes. What the gate kept back later (it has a reason) does not count as had.
_JUDGE = f"""
WITH due AS MATERIALIZED (
    SELECT r.id, r.occasion_id, r.step, r.round, r.due_at, r.customer_id, r.subject_ref
    FROM reminders_reminder r
    JOIN reminders_occasion p ON p.id = r.occasion_id AND p.rule_version_id = %(version)s
    WHERE r.rule_id = %(rule)s AND r.step = %(step)s AND r.state = 'planned' AND r.due_at <= %(now)s
      AND (%(held)s::timestamptz IS NULL OR r.due_at >= %(held)s)
      AND (%(only)s::bigint[] IS NULL OR r.occasion_id = ANY(%(only)s))
    ORDER BY r.id LIMIT {LIMIT}
    FOR UPDATE OF r SKIP LOCKED
), looked AS MATERIALIZED (
    SELECT r.*, o.held_out, {WHY} AS why, {{condition}} AS condition,
           r.due_at < %(now)s - v.grace_hours * interval '1 hour'
               OR r.round < max(r.round) OVER (PARTITION BY r.occasion_id) AS late
    FROM due r JOIN {OCCASION_OF_ROW}
), ranked AS (
    SELECT k.*, row_number() OVER (PARTITION BY k.customer_id, k.good ORDER BY k.due_at, k.id) AS of_customer,
           row_number() OVER (PARTITION BY k.subject_ref, k.good ORDER BY k.due_at, k.id) AS of_subject
    FROM (SELECT l.*, l.why IS NULL AND NOT l.late AND l.condition = '' AND NOT l.held_out AS good
          FROM looked l) k
), judged AS MATERIALIZED (
    SELECT g.id, g.occasion_id, g.why, CASE
        WHEN g.why IS NOT NULL THEN g.why
        WHEN g.late THEN 'late:'
        WHEN g.condition <> '' THEN 'condition:' || g.condition
        WHEN g.held_out THEN 'held_out:'
        {{limits}}
        ELSE '' END AS verdict
    FROM ranked g
), ended AS (
    UPDATE reminders_occasion t SET state = CASE WHEN t.done_at IS NULL THEN 'stopped' ELSE 'done' END,
        reason = split_part(j.why, ':', 1), detail = left(substr(j.why, strpos(j.why, ':') + 1), 80),
        ended_at = %(now)s
    FROM judged j WHERE t.id = j.occasion_id AND j.why IS NOT NULL AND t.state = 'running'
), settled AS (
    UPDATE reminders_reminder r SET settled_at = %(now)s, reason = split_part(j.verdict, ':', 1),
        detail = left(substr(j.verdict, strpos(j.verdict, ':') + 1), 80),
        state = CASE WHEN j.why IS NULL THEN 'skipped' ELSE 'stopped' END
    FROM judged j WHERE r.id = j.id AND j.verdict <> ''
)
SELECT j.id, j.occasion_id, j.verdict FROM judged j
"""

_HAD = (
    "SELECT count(*) FROM reminders_reminder h "
    "WHERE h.rule_id = %(rule)s AND h.state = 'dispatched' AND h.reason = ''"
)
_OF_CUSTOMER = f"""
        WHEN g.of_customer + ({_HAD} AND h.customer_id = g.customer_id
            AND h.settled_at > %(now)s - %(max_days)s * interval '1 day') > %(max_per_customer)s
        THEN 'customer_max:' || %(max_per_customer)s || ' / ' || %(max_days)s"""
_OF_SUBJECT = f"""
        WHEN g.of_subject + ({_HAD} AND h.subject_ref = g.subject_ref) > %(subject_max)s
        THEN 'subject_max:' || %(subject_max)s"""
_GAP = f"""
        WHEN g.of_subject > 1 OR ({_HAD} AND h.subject_ref = g.subject_ref
            AND h.settled_at > %(now)s - %(subject_gap)s * interval '1 hour') > 0
        THEN 'subject_gap:' || %(subject_gap)s"""


def conditions_sql(version: RuleVersion) -> tuple[str, dict[str, Any]]:
    """Return (sql, params): the label of the first of the version's conditions that holds, or ''.

    Raises Refused if a condition is not known any more, for then nobody can say whether it holds.
    """
    branches: list[str] = []
    params: dict[str, Any] = {}
    for place, skip in enumerate(version.skips):
        found = skip_conditions.get(str(skip.get("kind")))
        if found is None:
            raise Refused(_("This condition is unknown."), field=f"skips.{place}")
        sql, values = found.compile({name: value for name, value in skip.items() if name != "kind"})
        sql, more = named(sql, values, prefix=f"skip_{place}")
        label = f"skip_{place}_label"
        params |= {**more, label: condition_words(skip)}
        branches.append(f"WHEN ({sql}) THEN %({label})s")
    return (f"CASE {' '.join(branches)} ELSE '' END" if branches else "''::text"), params


def condition_words(skip: dict[str, Any]) -> str:
    """Return what is kept of a condition that left a row out: its kind and what it asked."""
    found = skip_conditions.get(str(skip.get("kind")))
    values = [str(skip[field.name]) for field in (found.fields if found else ()) if field.name in skip]
    return " ".join([str(skip.get("kind")), *values])[:80]


def limits_sql(version: RuleVersion) -> str:
    """Return the WHEN branches of the version's limits."""
    parts = []
    if version.max_per_customer is not None:
        parts.append(_OF_CUSTOMER)
    if version.subject_max is not None:
        parts.append(_OF_SUBJECT)
    if version.subject_gap_hours is not None:
        parts.append(_GAP)
    return "".join(parts)


def judge(
    version: RuleVersion,
    *,
    step: int,
    now: datetime,
    held: datetime | None,
    only: list[int] | None = None,
) -> tuple[list[int], list[int]]:
    """Take the due rows of a step in hand and settle those that must not go.

    Return the rows that go, locked until the transaction ends, and the occasions that lost rows.
    """
    condition, params = conditions_sql(version)
    limits = limits_sql(version)
    if limits:
        # What one tick hands over must be counted by the other.
        lock_rule(version.rule_id)
    with connection.cursor() as cursor:
        cursor.execute(
            _JUDGE.format(condition=condition, limits=limits),
            {
                **params,
                "rule": version.rule_id,
                "version": version.pk,
                "step": step,
                "now": now,
                "held": held,
                "only": only,
                "max_per_customer": version.max_per_customer,
                "max_days": version.max_days,
                "subject_max": version.subject_max,
                "subject_gap": version.subject_gap_hours,
            },
        )
        rows = cursor.fetchall()
    return [pk for pk, _occasion, verdict in rows if not verdict], [row[1] for row in rows if row[2]]
