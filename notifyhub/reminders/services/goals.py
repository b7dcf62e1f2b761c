"""Goals: whether and when what a rule is for was reached, also by those who were held out."""

from datetime import datetime
from typing import Any

from django.db import connection

from notifyhub.reminders.services.stopping import OCCASIONS, PAID, SAME_SUBJECT, SINCE

# When the platform said so, not when we looked.
_REACHED = f"""least(
    CASE WHEN ord.state = ANY(v.goal_states) OR (v.goal_paid AND {PAID}) THEN ord.told_at END,
    CASE WHEN cardinality(v.goal_events) > 0 THEN (
        SELECT min(e.occurred_at) FROM customers_event e
        WHERE e.customer_id = o.customer_id AND e.name = ANY(v.goal_events)
          AND e.occurred_at >= {SINCE} AND e.received_at >= {SINCE} - interval '1 day'
          AND e.id IS DISTINCT FROM o.event_id AND {SAME_SUBJECT}) END)"""

# It counts until so many days after the last reminder, or after the one that the holdout left out; while
# none has come due, from the beginning.
_MARK = f"""
UPDATE reminders_occasion t SET done_at = w.at, done_step = w.step,
    state = CASE WHEN t.state = 'stopped' THEN 'done' ELSE t.state END
FROM (
    SELECT k.*, coalesce((
        SELECT r.step FROM reminders_reminder r
        WHERE r.occasion_id = k.id AND r.due_at <= k.at
          AND (r.state = 'dispatched' OR r.reason = 'held_out')
        ORDER BY r.due_at DESC LIMIT 1), 0) AS step
    FROM (
        SELECT g.id, g.goal_days, g.reached, greatest(g.started_at, g.reached) AS at FROM (
        SELECT o.id, v.goal_days, o.started_at, {_REACHED} AS reached
        FROM {OCCASIONS}
        WHERE o.done_at IS NULL AND {{picked}}
          AND (o.state = 'running' OR o.ended_at > %(now)s - (v.goal_days + 1) * interval '1 day')
          AND (v.goal_states <> '{{{{}}}}' OR v.goal_paid OR v.goal_events <> '{{{{}}}}')
        OFFSET 0) g
    ) k
    WHERE k.reached IS NOT NULL AND k.at <= coalesce((
        SELECT max(r.due_at) FROM reminders_reminder r
        WHERE r.occasion_id = k.id AND r.due_at <= %(now)s
          AND (r.state = 'dispatched' OR r.reason = 'held_out')), %(now)s) + k.goal_days * interval '1 day'
) w
WHERE t.id = w.id AND t.done_at IS NULL
"""


def mark_done(picked: str, params: dict[str, Any], *, now: datetime) -> int:
    """Write when, and after which step, the occasions that `picked` (SQL over o) names reached their goal.

    Return how many did. What is still running is ended by stopping.end_stopped, which knows the goals too.
    """
    with connection.cursor() as cursor:
        cursor.execute(_MARK.format(picked=picked), {**params, "now": now})
        return int(cursor.rowcount)
