"""What becomes of running occasions when dates move and rules change."""

from datetime import datetime
from typing import Any

from django.db import connection

from notifyhub.reminders.models import ReminderRule, RuleVersion
from notifyhub.reminders.services.due_sql.anchors import Anchors
from notifyhub.reminders.services.occasions.beginning import LATEST, MOVED_FAR

_ADOPT = """
UPDATE reminders_occasion o SET rule_version_id = %(live)s
WHERE o.rule_id = %(rule)s AND o.state = 'running' AND o.rule_version_id <> %(live)s
  AND NOT EXISTS (SELECT 1 FROM reminders_reminder r WHERE r.occasion_id = o.id AND r.state = 'dispatched')
"""


def adopt_version(rule: ReminderRule) -> int:
    """Move what has sent nothing yet to the version in force; return how many occasions moved."""
    with connection.cursor() as cursor:
        cursor.execute(_ADOPT, {"rule": rule.pk, "live": rule.live_id})
        return int(cursor.rowcount)


# Whether the date of a running occasion is gone, and whether it is still in sight; each look-up by a key.
_ORDERS = """
    SELECT o.id, ord.id IS NULL OR ord.{field} IS NULL AS dateless
    FROM reminders_occasion o JOIN customers_customer k ON k.id = o.customer_id AND k.state = 'active'
    LEFT JOIN customers_order ord ON ord.id = o.order_id
    WHERE o.rule_id = %(rule)s AND o.state = 'running' {whose}
      AND (ord.{field} BETWEEN %(first)s AND %(last)s
           AND (%(lines)s::varchar[] = '{{}}' OR ord.line = ANY(%(lines)s::varchar[]))) IS NOT TRUE"""
_PROFILES = """
    SELECT o.id, NOT k.attributes ? %(field)s AS dateless
    FROM reminders_occasion o JOIN customers_customer k ON k.id = o.customer_id AND k.state = 'active'
    LEFT JOIN ({anchors}) f ON f.subject_ref = o.subject_ref AND f.occurrence = o.occurrence
    WHERE o.rule_id = %(rule)s AND o.state = 'running' {whose} AND f.subject_ref IS NULL"""

# An occasion whose date is gone stops. One whose date has moved out of sight is forgotten until it comes
# near, as if it had never begun; if something was sent, the new date will be another one.
_LEAVE = """
WITH gone AS MATERIALIZED (
    SELECT q.id, q.dateless, EXISTS (
        SELECT 1 FROM reminders_reminder r WHERE r.occasion_id = q.id AND r.state = 'dispatched') AS sent
    FROM ({unseen}) q
), ended AS (
    UPDATE reminders_occasion o SET state = CASE WHEN o.done_at IS NULL THEN 'stopped' ELSE 'done' END,
        reason = CASE WHEN g.dateless THEN 'no_date' ELSE 'newer' END, ended_at = %(now)s
    FROM gone g WHERE o.id = g.id AND (g.dateless OR g.sent) RETURNING o.id, o.reason
), stopped AS (
    UPDATE reminders_reminder r SET state = 'stopped', reason = e.reason, settled_at = %(now)s
    FROM ended e WHERE r.occasion_id = e.id AND r.state = 'planned' RETURNING 1
), forgotten AS (
    DELETE FROM reminders_reminder r USING gone g
    WHERE r.occasion_id = g.id AND NOT g.dateless AND NOT g.sent RETURNING r.occasion_id
)
SELECT (SELECT count(*) FROM stopped), (SELECT count(*) FROM forgotten),
       ARRAY(SELECT id FROM gone WHERE NOT dateless AND NOT sent)
"""

_MOVE = f"""
WITH fresh AS MATERIALIZED (SELECT * FROM ({{anchors}}) k), changed AS (
    SELECT f.*, l.id AS occasion, l.state, l.sent,
           f.occurrence IS NULL AND l.sent AND {MOVED_FAR} AS another
    FROM fresh f JOIN LATERAL ({{latest}}) l ON true
    WHERE l.anchor_at <> f.anchor_at OR l.customer_id <> f.customer_id
       OR l.order_id IS DISTINCT FROM f.order_id
), moved AS (
    UPDATE reminders_occasion o SET anchor_at = c.anchor_at, customer_id = c.customer_id,
        order_id = c.order_id,
        state = CASE WHEN o.state = 'through' AND NOT c.sent THEN 'running' ELSE o.state END,
        ended_at = CASE WHEN o.state = 'through' AND NOT c.sent THEN NULL ELSE o.ended_at END
    FROM changed c WHERE o.id = c.occasion AND NOT c.another
), ended AS (
    UPDATE reminders_occasion o SET state = CASE WHEN o.done_at IS NULL THEN 'stopped' ELSE 'done' END,
        reason = 'newer', ended_at = %(now)s
    FROM changed c WHERE o.id = c.occasion AND c.another AND o.state = 'running' RETURNING o.id
)
UPDATE reminders_reminder r SET state = 'stopped', reason = 'newer', settled_at = %(now)s
FROM ended e WHERE r.occasion_id = e.id AND r.state = 'planned'
"""


def follow_dates(
    rule: ReminderRule,
    version: RuleVersion,
    *,
    now: datetime,
    anchors: Anchors,
    customer_ids: list[int] | None = None,
) -> int:
    """Move running occasions with their dates, and end or forget those whose date has gone.

    Return how many due rows ended or were forgotten.
    """
    params: dict[str, Any] = {**anchors.params, "rule": rule.pk, "now": now, "customers": customer_ids}
    whose = "AND o.customer_id = ANY(%(customers)s)" if customer_ids is not None else ""
    if version.start == RuleVersion.Start.ORDER:
        unseen = _ORDERS.format(field=version.date_field, whose=whose)
    else:
        unseen = _PROFILES.format(anchors=anchors.sql, whose=whose)
    with connection.cursor() as cursor:
        cursor.execute(_MOVE.format(anchors=anchors.sql, latest=LATEST), params)
        ended = cursor.rowcount
        cursor.execute(_LEAVE.format(unseen=unseen), params)
        stopped, forgotten, empty = cursor.fetchone()
        cursor.execute("DELETE FROM reminders_occasion WHERE id = ANY(%s)", [empty])
    return int(ended + stopped + forgotten)
