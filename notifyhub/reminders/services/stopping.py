"""When nothing is left to remind of: one expression, asked by the tick, by hand-over and by the gate.

The aliases are o (occasion), v (its version), ru (the rule), c (customer) and ord (order, may be null). Goals
end an occasion like stops: nobody is reminded of what is done. Every part is a look-up by index; a literal
percent sign is written twice, for the gate runs with parameters.
"""

from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from notifyhub.reminders.services.due_sql.anchors import order_statuses

_STATUSES = ", ".join(f"'{name}'" for name in order_statuses())

# An agreement made before the reminders began counts as well, as far back as the order goes.
SINCE = """CASE WHEN v.start = 'order' AND v.stop_matching = 'subject' AND o.occurrence = 0
    THEN least(o.started_at, coalesce(ord.placed_at, o.started_at - interval '90 days'))
    ELSE o.started_at END"""
_NUMBER = "coalesce(ord.number, CASE WHEN o.subject_ref LIKE 'order:%%' THEN substr(o.subject_ref, 7) END)"
# What is about one event alone, or about a date in the profile, has no other events of its own.
SAME_SUBJECT = f"""(v.stop_matching = 'customer' OR o.subject_ref LIKE 'event:%%'
    OR o.subject_ref LIKE 'customer:%%' OR (e.order_number <> '' AND e.order_number = {_NUMBER})
    OR (v.subject_property <> '' AND v.subject_property || ':' || (e.properties ->> v.subject_property)
        = o.subject_ref))"""

EVENT = f"""(SELECT e.name FROM customers_event e
    WHERE e.customer_id = o.customer_id AND e.name = ANY(v.stop_events || v.goal_events)
      AND e.occurred_at >= {SINCE} AND e.received_at >= {SINCE} - interval '1 day'
      AND e.id IS DISTINCT FROM o.event_id AND {SAME_SUBJECT}
    ORDER BY e.occurred_at LIMIT 1)"""

# Statuses of orders, and whatever else starts a rule that says of itself that it is one.
_NEWER = f"""(SELECT e.name FROM customers_event e
    WHERE e.customer_id = o.customer_id AND e.order_number = {_NUMBER} AND e.order_number <> ''
      AND e.occurred_at > o.started_at AND e.received_at > o.started_at - interval '1 day'
      AND (e.name <> v.event_name OR v.again = 'restart')
      AND (e.name IN ({_STATUSES}) OR e.name = ANY(ARRAY(
          SELECT w.event_name::text FROM reminders_ruleversion w
          JOIN reminders_reminderrule k ON k.live_id = w.id AND k.state = 'active'
          WHERE w.newer_cancels)))
    ORDER BY e.occurred_at DESC LIMIT 1)"""

_HELD = f"""(SELECT left(h.reason, 72) FROM customers_hold h
    WHERE h.customer_id = o.customer_id AND h.scope = 'subject' AND h.released_at IS NULL
      AND h.scope_value IN (o.subject_ref, 'order:' || {_NUMBER})
      AND (h.ends_at IS NULL OR h.ends_at > statement_timestamp()) LIMIT 1)"""

_REACTED = """(SELECT d2.channel FROM reminders_reminder r2
    JOIN messaging_delivery d2 ON d2.dispatch_id = r2.dispatch_id AND d2.dedup_key = r2.id
    WHERE r2.occasion_id = o.id AND r2.dispatch_id IS NOT NULL AND (d2.read_at IS NOT NULL OR EXISTS (
        SELECT 1 FROM messaging_deliveryevent e2
        WHERE e2.dispatch_id = d2.dispatch_id AND e2.delivery_id = d2.id AND e2.kind IN ('read', 'clicked')))
    LIMIT 1)"""

PAID = "(ord.amount_due > 0 AND ord.amount_paid >= ord.amount_due)"

# What needs no look-up; enough for the many that are about to begin.
_PLAIN = f"""
    WHEN ru.state <> 'active' THEN 'rule_off:' || ru.state
    WHEN c.state <> 'active' THEN 'gone:' || c.state
    WHEN ord.state = ANY(v.stop_states || v.goal_states) THEN 'order_state:' || ord.state
    WHEN (v.stop_paid OR v.goal_paid) AND {PAID} THEN 'paid:' || ord.amount_paid || ' ' || ord.currency"""

WHY_AT_FIRST = f"CASE {_PLAIN} END"

# Why it ends, as `reason:detail`; NULL while it goes on.
WHY = f"""CASE {_PLAIN}
    WHEN v.stop_held AND {_HELD} IS NOT NULL THEN 'held:' || {_HELD}
    WHEN cardinality(v.stop_events || v.goal_events) > 0 AND {EVENT} IS NOT NULL THEN 'event:' || {EVENT}
    WHEN v.newer_cancels AND v.start = 'event' AND {_NEWER} IS NOT NULL THEN 'newer:' || {_NEWER}
    WHEN v.stop_reacted AND {_REACTED} IS NOT NULL THEN 'reacted:' || {_REACTED}
END"""
STOPPED = f"({WHY}) IS NOT NULL"

OCCASIONS = """reminders_occasion o
    JOIN reminders_ruleversion v ON v.id = o.rule_version_id
    JOIN reminders_reminderrule ru ON ru.id = o.rule_id
    JOIN customers_customer c ON c.id = o.customer_id
    LEFT JOIN customers_order ord ON ord.id = o.order_id"""

# The same from a due row on, whose alias is r.
OCCASION_OF_ROW = OCCASIONS.replace("occasion o\n", "occasion o ON o.id = r.occasion_id\n", 1)

# Read in each window right before sending, over the alias d. One that was ended since says no as well.
STOP_SQL = f"""EXISTS (
    SELECT 1 FROM reminders_reminder r JOIN {OCCASION_OF_ROW}
    WHERE r.id = d.dedup_key AND (o.state IN ('stopped', 'done') OR {STOPPED}))"""

# The reasons that may vanish again, so that what was stopped goes on.
PASSING = ("order_state", "paid", "held", "rule_off", "no_date", "gone")

_END = f"""
WITH ended AS (
    UPDATE reminders_occasion t
    SET state = CASE WHEN t.done_at IS NULL THEN 'stopped' ELSE 'done' END, ended_at = %(now)s,
        reason = split_part(w.why, ':', 1), detail = left(substr(w.why, strpos(w.why, ':') + 1), 80)
    FROM (SELECT o.id, {WHY} AS why FROM {OCCASIONS} WHERE o.state = 'running' AND {{picked}}) w
    WHERE t.id = w.id AND t.state = 'running' AND w.why IS NOT NULL
    RETURNING t.id, t.reason, t.detail
)
UPDATE reminders_reminder r SET state = 'stopped', reason = e.reason, detail = e.detail, settled_at = %(now)s
FROM ended e WHERE r.occasion_id = e.id AND r.state = 'planned'
"""

_RESUME = f"""
UPDATE reminders_occasion t SET state = 'running', reason = '', detail = '', ended_at = NULL
FROM (SELECT o.id, {WHY} AS why FROM {OCCASIONS}
      WHERE o.state = 'stopped' AND o.reason = ANY(%(passing)s) AND {{picked}}) w
WHERE t.id = w.id AND t.state = 'stopped' AND w.why IS NULL
RETURNING t.id
"""

_CLOSE = """
UPDATE reminders_occasion o SET state = 'through', ended_at = %(now)s
WHERE o.state = 'running' AND {picked}
  AND NOT EXISTS (SELECT 1 FROM reminders_reminder r WHERE r.occasion_id = o.id AND r.state = 'planned')
"""


def end_stopped(picked: str, params: dict[str, Any] | None = None, *, now: datetime | None = None) -> int:
    """End the running occasions that `picked` (SQL over o) names and that have a reason to end.

    Return how many of their due rows stopped.
    """
    with connection.cursor() as cursor:
        cursor.execute(_END.format(picked=picked), {**(params or {}), "now": now or timezone.now()})
        return int(cursor.rowcount)


def resume_stopped(picked: str, params: dict[str, Any] | None = None) -> list[int]:
    """Let go on what was stopped for a reason that is gone; return the occasions."""
    with connection.cursor() as cursor:
        cursor.execute(_RESUME.format(picked=picked), {**(params or {}), "passing": list(PASSING)})
        return [row[0] for row in cursor.fetchall()]


def close_through(picked: str, params: dict[str, Any] | None = None, *, now: datetime | None = None) -> int:
    """End the running occasions of which no row is left to come; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_CLOSE.format(picked=picked), {**(params or {}), "now": now or timezone.now()})
        return int(cursor.rowcount)
