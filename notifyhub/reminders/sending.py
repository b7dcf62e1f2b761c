"""What reminders tell messaging: the words of a row, and when a row must not go any more."""

import json
from typing import Any

from django.db import connection

# Read in each window right before sending: nobody is reminded of what is done.
STOP_SQL = """EXISTS (
    SELECT 1 FROM reminders_reminder r
    JOIN reminders_reminderrule ru ON ru.id = r.rule_id
    LEFT JOIN customers_order o ON o.id = r.order_id
    WHERE r.id = d.dedup_key AND (ru.state <> 'active' OR o.state = ANY(ru.stop_states)))"""

_VARIABLES = """
SELECT r.id, json_build_object(
    'due_at', to_char(r.due_at AT TIME ZONE c.time_zone, 'YYYY-MM-DD HH24:MI'),
    'order', CASE WHEN o.id IS NULL THEN NULL ELSE json_build_object(
        'number', o.number, 'merchant', o.merchant, 'line', o.line, 'city', o.city,
        'amount_due', o.amount_due::text, 'amount_paid', o.amount_paid::text, 'currency', o.currency,
        'due_at', to_char(o.due_at AT TIME ZONE c.time_zone, 'YYYY-MM-DD HH24:MI'),
        'starts_at', to_char(o.starts_at AT TIME ZONE c.time_zone, 'YYYY-MM-DD HH24:MI'),
        'promised_at', to_char(o.promised_at AT TIME ZONE c.time_zone, 'YYYY-MM-DD HH24:MI')) END)::text
FROM reminders_reminder r
JOIN customers_customer c ON c.id = r.customer_id
LEFT JOIN customers_order o ON o.id = r.order_id
WHERE r.id = ANY(%s)
"""


def reminder_variables(dispatch_id: int, items: list[int]) -> dict[int, dict[str, Any]]:
    """Return the template variables of each reminder (by id), in one query."""
    with connection.cursor() as cursor:
        cursor.execute(_VARIABLES, [list(items)])
        return {row[0]: json.loads(row[1]) for row in cursor.fetchall()}
