"""Beginning occasions, set-wise; asking twice begins nothing twice."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from notifyhub.reminders.models import ReminderRule, ReminderStep, RuleVersion
from notifyhub.reminders.services.due_sql import due_rows, event_anchors, lines_of, reach_of
from notifyhub.reminders.services.due_sql.anchors import Anchors, anchors_of, order_statuses
from notifyhub.reminders.services.stopping import WHY, WHY_AT_FIRST

# The same customer is always in or always out of a rule's holdout.
HELD_OUT = "(('x' || substr(md5({rule} || ':' || {customer}), 1, 8))::bit(32)::bigint %% 100)"

# The latest occasion of a subject, and whether anything of it was handed over.
LATEST = """
    SELECT l.id, l.state, l.occurrence, l.anchor_at, l.started_at, l.customer_id, l.order_id, EXISTS (
        SELECT 1 FROM reminders_reminder r WHERE r.occasion_id = l.id AND r.state = 'dispatched') AS sent
    FROM reminders_occasion l
    WHERE l.rule_id = %(rule)s AND l.subject_ref = f.subject_ref
      AND (f.occurrence IS NULL OR l.occurrence = f.occurrence)
    ORDER BY l.occurrence DESC LIMIT 1
"""

# In an order of its own, so that all is read before the first row is written: else the look-ups of the latest
# would wade through what the statement itself has written.
_BEGIN = """
INSERT INTO reminders_occasion (rule_id, rule_version_id, customer_id, order_id, subject_ref, occurrence,
    anchor_at, event_id, facts, held_out, state, reason, detail, started_at)
SELECT %(rule)s, %(version)s, o.customer_id, o.order_id, o.subject_ref, o.occurrence, o.anchor_at, o.event_id,
       o.facts, {held_out} < v.holdout, 'running', '', '', o.started_at
FROM (
    SELECT NULL::bigint AS id, f.customer_id, f.order_id, f.subject_ref, f.anchor_at, f.event_id, f.facts,
           f.began_at AS started_at, coalesce(f.occurrence, l.occurrence + 1, 0) AS occurrence
    FROM (
        SELECT DISTINCT ON (d.subject_ref, d.occurrence) d.* FROM ({due}) d
        WHERE NOT d.off AND d.due_at >= greatest(%(since)s, d.told_at - %(back)s::interval)
          AND d.due_at <= %(until)s
        ORDER BY d.subject_ref, d.occurrence, d.began_at {order}, d.event_id
    ) f
    LEFT JOIN LATERAL ({latest}) l ON true
    WHERE l.id IS NULL OR {again}
) o
JOIN reminders_ruleversion v ON v.id = %(version)s
JOIN reminders_reminderrule ru ON ru.id = v.rule_id
JOIN customers_customer c ON c.id = o.customer_id
LEFT JOIN customers_order ord ON ord.id = o.order_id
WHERE ({why}) IS NULL
ORDER BY o.subject_ref DESC
ON CONFLICT (rule_id, subject_ref, occurrence) DO NOTHING
RETURNING id
"""

# A date that moved by less than a day is the same occasion.
MOVED_FAR = "greatest(l.anchor_at, f.anchor_at) - least(l.anchor_at, f.anchor_at) >= interval '1 day'"
_AGAIN_DATED = f"(f.occurrence IS NULL AND l.sent AND l.state <> 'running' AND {MOVED_FAR})"
_AGAIN_EVENT = "(l.state <> 'running' AND f.began_at > l.started_at)"


def _begin(
    rule: ReminderRule,
    version: RuleVersion,
    steps: list[ReminderStep],
    *,
    now: datetime,
    anchors: Anchors,
    back: timedelta,
    until: datetime,
    order: str,
    again: str,
    why: str,
) -> list[int]:
    due, params = due_rows(version, lines_of(steps), now=now, anchors=anchors)
    sql = _BEGIN.format(
        due=due,
        latest=LATEST,
        order=order,
        again=again,
        why=why,
        held_out=HELD_OUT.format(rule="v.rule_id", customer="o.customer_id"),
    )
    with connection.cursor() as cursor:
        cursor.execute(
            sql,
            {
                **params,
                "rule": rule.pk,
                "version": version.pk,
                "now": now,
                # What was due before the rule became active was never promised to anybody.
                "since": rule.activated_at,
                "back": f"{back.total_seconds():.0f} seconds",
                "until": until,
            },
        )
        return [row[0] for row in cursor.fetchall()]


def begin_dated(
    rule: ReminderRule,
    version: RuleVersion,
    steps: list[ReminderStep],
    *,
    now: datetime,
    back: timedelta,
    ahead: timedelta,
    customer_ids: list[int] | None = None,
) -> list[int]:
    """Begin what has a step due from `back` before now until `ahead` of it; return the occasions."""
    first, last = reach_of(version, lines_of(steps), now=now, back=back, ahead=ahead)
    anchors = anchors_of(version, now=now, first=first, last=last, customer_ids=customer_ids)
    return _begin(
        rule,
        version,
        steps,
        now=now,
        anchors=anchors,
        back=back,
        until=now + ahead,
        order="DESC",
        again=_AGAIN_DATED,
        why=WHY_AT_FIRST,
    )


# While one runs, a newer start event moves it as long as nothing has gone out; else it ends for the next.
_RESTART = """
WITH fresh AS (
    SELECT DISTINCT ON (k.subject_ref) k.* FROM ({anchors}) k
    ORDER BY k.subject_ref, k.began_at DESC, k.event_id
), again AS (
    SELECT f.*, l.id AS occasion, l.sent FROM fresh f JOIN LATERAL ({latest}) l ON true
    WHERE l.state = 'running' AND f.began_at > l.started_at
), moved AS (
    UPDATE reminders_occasion o SET anchor_at = a.anchor_at, event_id = a.event_id, facts = a.facts,
        started_at = a.began_at, customer_id = a.customer_id, order_id = coalesce(a.order_id, o.order_id)
    FROM again a WHERE o.id = a.occasion AND NOT a.sent RETURNING o.id
), ended AS (
    UPDATE reminders_occasion o SET state = CASE WHEN o.done_at IS NULL THEN 'stopped' ELSE 'done' END,
        reason = 'newer', detail = %(event_name)s, ended_at = %(now)s
    FROM again a WHERE o.id = a.occasion AND a.sent RETURNING o.id
), stopped AS (
    UPDATE reminders_reminder r SET state = 'stopped', reason = 'newer', detail = %(event_name)s,
        settled_at = %(now)s
    FROM ended e WHERE r.occasion_id = e.id AND r.state = 'planned'
)
SELECT id FROM moved
"""


def status_names() -> list[str]:
    """Return the events that replace an older status of their order."""
    cancelling = RuleVersion.objects.filter(
        newer_cancels=True, pk__in=ReminderRule.objects.filter(state="active").values("live")
    )
    return sorted({*order_statuses(), *cancelling.values_list("event_name", flat=True)})


def begin_events(
    rule: ReminderRule,
    version: RuleVersion,
    steps: list[ReminderStep],
    *,
    now: datetime,
    which: str,
    params: dict[str, Any],
) -> list[int]:
    """Begin or restart what the events picked by `which` (SQL over e) start; return those occasions.

    An event that is older than the newest that its subject began with starts nothing.
    """
    anchors = event_anchors(
        version,
        now=now,
        which=f"e.received_at >= %(since)s AND {which}",
        params={**params, "since": rule.activated_at},
        statuses=status_names(),
    )
    moved: list[int] = []
    restarts = version.again == RuleVersion.Again.RESTART
    if restarts:
        with connection.cursor() as cursor:
            cursor.execute(
                _RESTART.format(anchors=anchors.sql, latest=LATEST),
                {**anchors.params, "rule": rule.pk, "now": now},
            )
            moved = [row[0] for row in cursor.fetchall()]
    begun = _begin(
        rule,
        version,
        steps,
        now=now,
        anchors=anchors,
        back=timedelta(hours=version.grace_hours),
        until=now + timedelta(days=36500),
        order="DESC" if restarts else "ASC",
        again=_AGAIN_EVENT,
        why=WHY,
    )
    return moved + begun
