"""Making due rows: one set-based statement per step, harmless to repeat."""

from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from notifyhub.reminders.models import ReminderRule, ReminderStep

# Rows are made this far ahead, so that the customer's page can say what is coming.
HORIZON = timedelta(days=7)

# When a step is due. Days land on the customer's own clock: PostgreSQL moves a local time inside a daylight
# saving gap forward, and a unique row fires once in a fold.
_DUE = """CASE WHEN %(unit)s = 'days'
    THEN ((({anchor}) AT TIME ZONE c.time_zone)::date + %(amount)s * interval '1 day' + %(at_time)s::time)
         AT TIME ZONE c.time_zone
    ELSE ({anchor}) + %(amount)s * interval '1 hour' END"""

# The two days around the window cover time zones and the hour of the day; the outer query is exact.
_ORDERS = """
    SELECT o.customer_id, o.id AS order_id, 'order:' || o.number AS subject_ref, 0 AS occurrence,
           {due} AS due_at, o.state = ANY(%(stop_states)s) AS stopped
    FROM customers_order o
    JOIN customers_customer c ON c.id = o.customer_id AND c.state = 'active'
    WHERE {anchor} BETWEEN now() - %(amount)s * %(span)s::interval - %(grace)s::interval - interval '2 days'
                       AND now() - %(amount)s * %(span)s::interval + %(horizon)s::interval + interval '2 days'
      AND (%(lines)s::varchar[] = '{{}}' OR o.line = ANY(%(lines)s::varchar[]))
"""

# A yearly date is stored as text (1990-05-17); 29 February falls on the 28th in common years.
_CUSTOMERS = """
    SELECT c.id AS customer_id, NULL::bigint AS order_id, 'customer:' || c.id || ':' || %(attribute)s AS subject_ref,
           y.year AS occurrence, {due} AS due_at, false AS stopped
    FROM customers_customer c
    CROSS JOIN LATERAL (
        SELECT extract(year FROM now())::int + k AS year,
               substring(c.attributes ->> %(attribute)s FROM 6 FOR 2)::int AS month,
               substring(c.attributes ->> %(attribute)s FROM 9 FOR 2)::int AS day
        FROM generate_series(-1, 1) k
        WHERE c.attributes ->> %(attribute)s ~ '^[0-9]{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])'
    ) y
    WHERE c.state = 'active' AND c.attributes ? %(attribute)s
"""
_YEARLY = """((make_date(y.year, y.month, 1) + least(y.day, extract(day FROM
    make_date(y.year, y.month, 1) + interval '1 month - 1 day')::int) - 1)::timestamp AT TIME ZONE c.time_zone)"""

# Planned rows that no longer follow from the facts (a date moved away, a customer merged) go; what still
# follows is made, or moved to its new time.
_PLAN = """
WITH fresh AS MATERIALIZED (
    SELECT * FROM ({source}) f
    WHERE f.due_at BETWEEN now() - %(grace)s::interval AND now() + %(horizon)s::interval
), gone AS (
    DELETE FROM reminders_reminder r
    WHERE r.rule_id = %(rule)s AND r.step = %(step)s AND r.state = 'planned'
      AND r.due_at > now() - %(grace)s::interval
      AND NOT EXISTS (
          SELECT 1 FROM fresh f WHERE f.subject_ref = r.subject_ref AND f.occurrence = r.occurrence)
)
INSERT INTO reminders_reminder
    (rule_id, step, customer_id, order_id, subject_ref, occurrence, due_at, state, reason, created_at)
SELECT %(rule)s, %(step)s, f.customer_id, f.order_id, f.subject_ref, f.occurrence, f.due_at, 'planned', '', now()
FROM fresh f
WHERE NOT f.stopped AND f.due_at >= %(since)s
ON CONFLICT (rule_id, subject_ref, step, occurrence) DO UPDATE
    SET due_at = EXCLUDED.due_at
    WHERE reminders_reminder.state = 'planned' AND reminders_reminder.due_at <> EXCLUDED.due_at
"""

_STOPS = """
UPDATE reminders_reminder r SET state = 'stopped', settled_at = now(), reason = CASE
        WHEN ru.state <> 'active' THEN 'rule_off'
        WHEN s.id IS NULL THEN 'step_gone'
        ELSE 'order_state' END
FROM reminders_reminder x
JOIN reminders_reminderrule ru ON ru.id = x.rule_id
LEFT JOIN reminders_reminderstep s ON s.rule_id = x.rule_id AND s.number = x.step
LEFT JOIN customers_order o ON o.id = x.order_id
WHERE r.id = x.id AND x.state = 'planned' AND r.state = 'planned'
  AND (ru.state <> 'active' OR s.id IS NULL OR o.state = ANY(ru.stop_states))
"""

_LATE = """
UPDATE reminders_reminder r SET state = 'skipped', reason = 'late', settled_at = now()
FROM reminders_reminderrule ru
WHERE ru.id = r.rule_id AND r.state = 'planned' AND r.due_at < now() - ru.grace_hours * interval '1 hour'
"""


def _parameters(rule: ReminderRule, step: ReminderStep) -> dict[str, Any]:
    sign = -1 if step.side == ReminderStep.Side.BEFORE else 1
    return {
        "rule": rule.pk,
        "step": step.number,
        "unit": step.unit,
        "amount": sign * step.amount,
        "span": "1 day" if step.unit == ReminderStep.Unit.DAYS else "1 hour",
        "at_time": step.at_time,
        "attribute": rule.attribute,
        "grace": f"{rule.grace_hours} hours",
        "horizon": f"{HORIZON.days} days",
        "stop_states": list(rule.stop_states),
        "lines": list(rule.lines),
        # What was due before the rule became active was never promised to anybody.
        "since": rule.activated_at,
    }


@transaction.atomic
def plan_step(*, rule: ReminderRule, step: ReminderStep) -> int:
    """Make or move the due rows of one step over the horizon; return how many were made or moved."""
    anchor = f"o.{rule.anchor.partition('.')[2]}" if rule.about_orders else _YEARLY
    source = (_ORDERS if rule.about_orders else _CUSTOMERS).format(
        anchor=anchor, due=_DUE.format(anchor=anchor)
    )
    with connection.cursor() as cursor:
        cursor.execute(_PLAN.format(source=source), _parameters(rule, step))
        return int(cursor.rowcount)


def stop_reminders() -> int:
    """End planned rows whose reason is gone or whose grace has passed; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_STOPS)
        ended = cursor.rowcount
        cursor.execute(_LATE)
        return int(ended + cursor.rowcount)


def plan_reminders() -> int:
    """Plan every step of every active rule, then end what is no longer due; return how many rows changed."""
    changed = 0
    for rule in ReminderRule.objects.filter(state=ReminderRule.State.ACTIVE).prefetch_related("steps"):
        for step in rule.steps.all():
            changed += plan_step(rule=rule, step=step)
    return changed + stop_reminders()
