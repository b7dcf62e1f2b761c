"""Making due rows: one set-based statement per step, harmless to repeat."""

import logging
from datetime import timedelta

from django.db import Error, connection, transaction
from django.db.models import Q
from django.utils import timezone

from notifyhub.reminders.models import ReminderRule, ReminderStep
from notifyhub.reminders.services.due_sql import DONE, due_rows

logger = logging.getLogger(__name__)

# Rows are made this far ahead, so that the customer's page can say what is coming.
HORIZON = timedelta(days=7)
# Dates in profiles change rarely and no index finds them, so their rules are planned this often.
PROFILE_EVERY = timedelta(hours=1)

# A sent row answers for its occasion. When the order's date moves by a day or more after that, it is another
# occasion, with the next number.
FRESH = """
    SELECT f.customer_id, f.order_id, f.subject_ref, f.anchor_at, f.due_at, f.stopped,
           CASE WHEN last.state = 'dispatched'
                 AND greatest(last.anchor_at, f.anchor_at) - least(last.anchor_at, f.anchor_at)
                     >= interval '1 day'
                THEN last.occurrence + 1
                ELSE coalesce(f.occurrence, last.occurrence, 0) END AS occurrence
    FROM ({source}) f
    LEFT JOIN LATERAL (
        SELECT r.state, r.anchor_at, r.occurrence FROM reminders_reminder r
        WHERE r.rule_id = %(rule)s AND r.step = %(step)s AND r.subject_ref = f.subject_ref
          AND f.occurrence IS NULL
        ORDER BY r.occurrence DESC LIMIT 1
    ) last ON true
    WHERE f.due_at BETWEEN now() - %(back)s::interval AND now() + %(ahead)s::interval
"""

# Planned rows that no longer follow from the facts go; what still follows is made, moved to its new time, or
# taken up again after a stop whose reason is gone. Rows that are right already are not touched.
_PLAN = """
WITH fresh AS MATERIALIZED ({fresh}), gone AS (
    DELETE FROM reminders_reminder r
    WHERE r.rule_id = %(rule)s AND r.step = %(step)s AND r.state = 'planned'
      AND r.due_at >= now() - %(back)s::interval
      AND NOT EXISTS (
          SELECT 1 FROM fresh f WHERE f.subject_ref = r.subject_ref AND f.occurrence = r.occurrence)
    RETURNING 1
), made AS (
    INSERT INTO reminders_reminder
        (rule_id, step, customer_id, order_id, subject_ref, occurrence, anchor_at, due_at, state, reason,
         created_at)
    SELECT %(rule)s, %(step)s, f.customer_id, f.order_id, f.subject_ref, f.occurrence, f.anchor_at, f.due_at,
           'planned', '', now()
    FROM fresh f
    WHERE NOT f.stopped AND f.due_at >= %(since)s AND NOT EXISTS (
        SELECT 1 FROM reminders_reminder r
        WHERE r.rule_id = %(rule)s AND r.step = %(step)s AND r.subject_ref = f.subject_ref
          AND r.occurrence = f.occurrence
          AND (r.state = 'dispatched' OR (r.due_at = f.due_at AND (r.state = 'skipped' OR (
               r.state = 'planned' AND r.anchor_at = f.anchor_at AND r.customer_id = f.customer_id)))))
    ON CONFLICT (rule_id, subject_ref, step, occurrence) DO UPDATE
        SET due_at = EXCLUDED.due_at, anchor_at = EXCLUDED.anchor_at, customer_id = EXCLUDED.customer_id,
            state = 'planned', reason = '', settled_at = NULL
        WHERE reminders_reminder.state <> 'dispatched'
    RETURNING 1
)
SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM made)
"""

_STOPS = f"""
UPDATE reminders_reminder r SET state = 'stopped', settled_at = now(), reason = CASE
        WHEN ru.state <> 'active' THEN 'rule_off'
        WHEN s.id IS NULL THEN 'step_gone'
        WHEN {DONE} THEN 'order_state'
        ELSE 'no_date' END
FROM reminders_reminder x
JOIN reminders_reminderrule ru ON ru.id = x.rule_id
JOIN customers_customer c ON c.id = x.customer_id
LEFT JOIN reminders_reminderstep s ON s.rule_id = x.rule_id AND s.number = x.step
LEFT JOIN customers_order o ON o.id = x.order_id
WHERE r.id = x.id AND x.state = 'planned' AND r.state = 'planned'
  AND (ru.state <> 'active' OR s.id IS NULL OR {DONE}
       OR CASE ru.anchor WHEN 'order.due_at' THEN o.due_at IS NULL
                         WHEN 'order.starts_at' THEN o.starts_at IS NULL
                         WHEN 'order.promised_at' THEN o.promised_at IS NULL
                         ELSE NOT c.attributes ? ru.attribute END)
"""

# The shortest grace is an hour: the second condition lets the index on due_at find the few rows there are.
_LATE = """
UPDATE reminders_reminder r SET state = 'skipped', reason = 'late', settled_at = now()
FROM reminders_reminderrule ru
WHERE ru.id = r.rule_id AND r.state = 'planned' AND r.due_at < now() - ru.grace_hours * interval '1 hour'
  AND r.due_at < now() - interval '1 hour'
"""


def grace_of(rule: ReminderRule) -> str:
    """Return how late a reminder of the rule may be, as an interval."""
    return f"{rule.grace_hours} hours"


@transaction.atomic
def plan_step(*, rule: ReminderRule, step: ReminderStep) -> int:
    """Make, move or drop the due rows of one step over the horizon; return how many changed."""
    source, params = due_rows(rule, step, back=grace_of(rule), ahead=f"{HORIZON.days} days")
    # What was due before the rule became active was never promised to anybody.
    params["since"] = rule.activated_at
    with connection.cursor() as cursor:
        cursor.execute(_PLAN.format(fresh=FRESH.format(source=source)), params)
        return int(cursor.fetchone()[0])


def stop_reminders() -> int:
    """End planned rows whose reason is gone or whose grace has passed; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_STOPS)
        ended = cursor.rowcount
        cursor.execute(_LATE)
        return int(ended + cursor.rowcount)


def plan_reminders() -> int:
    """End what is no longer due, then plan every step of every active rule; return how many rows changed.

    A rule that fails keeps no other from being planned; its error is raised in the end, for the tick's row.
    """
    changed = stop_reminders()
    now = timezone.now()
    rules = ReminderRule.objects.filter(state=ReminderRule.State.ACTIVE).filter(
        Q(anchor__startswith="order.") | Q(planned_at=None) | Q(planned_at__lte=now - PROFILE_EVERY)
    )
    failure: Error | None = None
    for rule in rules.prefetch_related("steps"):
        try:
            changed += sum(plan_step(rule=rule, step=step) for step in rule.steps.all())
        except Error as error:
            logger.exception("Reminder rule %s could not be planned.", rule.pk)
            failure = error
        else:
            # Guarded: somebody who edits the rule at this moment wants it planned again.
            ReminderRule.objects.filter(pk=rule.pk, version=rule.version).update(planned_at=now)
    if failure is not None:
        raise failure
    return changed
