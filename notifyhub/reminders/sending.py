"""What reminders tell messaging: the words of a row, and when a row must not go any more."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.db import connection

from notifyhub.reminders.services.due_sql import DONE

# Read in each window right before sending: nobody is reminded of what is done.
STOP_SQL = f"""EXISTS (
    SELECT 1 FROM reminders_reminder r
    JOIN reminders_reminderrule ru ON ru.id = r.rule_id
    LEFT JOIN customers_order o ON o.id = r.order_id
    WHERE r.id = d.dedup_key AND (ru.state <> 'active' OR {DONE}))"""

_VARIABLES = """
SELECT r.id, c.time_zone, r.due_at, r.anchor_at, o.id IS NOT NULL,
       o.number, o.merchant, o.line, o.city, o.currency, o.amount_due, o.amount_paid,
       o.due_at, o.starts_at, o.promised_at
FROM reminders_reminder r
JOIN customers_customer c ON c.id = r.customer_id
LEFT JOIN customers_order o ON o.id = r.order_id
WHERE r.id = ANY(%s)
"""
_ORDER = (
    "number",
    "merchant",
    "line",
    "city",
    "currency",
    "amount_due",
    "amount_paid",
    "due_at",
    "starts_at",
    "promised_at",
)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(settings.TIME_ZONE)


def _plain(value: Any, zone: ZoneInfo) -> Any:
    """Return a time on the customer's clock, an amount as it is written, anything else as it is."""
    if isinstance(value, datetime):
        return f"{value.astimezone(zone):%Y-%m-%d %H:%M}"
    return str(value) if isinstance(value, Decimal) else value


def reminder_variables(dispatch_id: int, items: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return the template variables of each reminder (by id), in one query: due_at, date and order."""
    with connection.cursor() as cursor:
        cursor.execute(_VARIABLES, [list(items)])
        rows = cursor.fetchall()
    found = {}
    for pk, zone_name, due_at, anchor_at, about_order, *facts in rows:
        zone = _zone(zone_name)
        order = {name: _plain(fact, zone) for name, fact in zip(_ORDER, facts, strict=True)}
        found[pk] = {
            "due_at": _plain(due_at, zone),
            "date": _plain(anchor_at, zone)[:10],
            "order": order if about_order else None,
        }
    return found
