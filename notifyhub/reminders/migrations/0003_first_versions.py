"""Each rule's work becomes its first version, and each subject that it has reminded of an occasion."""

from django.db import migrations

VERSIONS = """
INSERT INTO reminders_ruleversion (rule_id, number, created_at, start, event_name, event_filters, date_field,
    yearly, subject_property, again, newer_cancels, lines, stop_states, stop_paid, stop_held, stop_events,
    stop_matching, stop_reacted, skips, grace_hours, urgent, working_days, off_day, priority, max_days,
    goal_states, goal_paid, goal_events, goal_days, holdout)
SELECT r.id, 1, now(), split_part(r.anchor, '.', 1), '',
    '[]', CASE WHEN r.anchor LIKE 'order.%' THEN split_part(r.anchor, '.', 2) ELSE r.attribute END,
    r.anchor = 'customer.date', '', 'restart', false, r.lines, r.stop_states, r.anchor = 'order.due_at', false,
    '{}', 'subject', false, '[]', r.grace_hours, false, false, 'after', 1, 30,
    '{}', r.anchor = 'order.due_at', '{}', 7, 0
FROM reminders_reminderrule r;
UPDATE reminders_reminderrule r SET live_id = v.id FROM reminders_ruleversion v WHERE v.rule_id = r.id;
UPDATE reminders_reminderstep s SET rule_version_id = r.live_id,
    chain = (SELECT coalesce(jsonb_agg(jsonb_build_object('channel', c)), '[]') FROM unnest(r.chain) AS c)
FROM reminders_reminderrule r WHERE r.id = s.rule_id;
"""

OCCASIONS = """
INSERT INTO reminders_occasion (rule_id, rule_version_id, customer_id, order_id, subject_ref, occurrence,
    anchor_at, facts, held_out, state, reason, detail, started_at, ended_at)
SELECT m.rule_id, min(r.live_id), min(m.customer_id), min(m.order_id), m.subject_ref, m.occurrence,
    max(m.anchor_at), '{}', false, CASE WHEN bool_or(m.state = 'planned') THEN 'running' ELSE 'through' END, '',
    '', min(m.created_at), CASE WHEN bool_or(m.state = 'planned') THEN NULL ELSE max(m.settled_at) END
FROM reminders_reminder m JOIN reminders_reminderrule r ON r.id = m.rule_id
GROUP BY m.rule_id, m.subject_ref, m.occurrence;
UPDATE reminders_reminder m SET occasion_id = o.id
FROM reminders_occasion o
WHERE o.rule_id = m.rule_id AND o.subject_ref = m.subject_ref AND o.occurrence = m.occurrence;
"""


class Migration(migrations.Migration):
    """A migration of its own: its rows must be written before the columns they come from go."""

    dependencies = [("reminders", "0002_versions")]

    operations = [
        migrations.RunSQL(VERSIONS, migrations.RunSQL.noop),
        migrations.RunSQL(OCCASIONS, migrations.RunSQL.noop),
    ]
