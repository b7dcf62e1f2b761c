"""What reminders tell messaging: the words of a row. When it must not go any more says stopping.STOP_SQL."""

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.db import connection

_VARIABLES = """
SELECT r.id, c.time_zone, r.due_at, o.anchor_at, o.facts::text, ord.id IS NOT NULL,
       ord.number, ord.merchant, ord.line, ord.city, ord.currency, ord.amount_due, ord.amount_paid,
       ord.due_at, ord.starts_at, ord.promised_at
FROM reminders_reminder r
JOIN reminders_occasion o ON o.id = r.occasion_id
JOIN customers_customer c ON c.id = r.customer_id
LEFT JOIN customers_order ord ON ord.id = o.order_id
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
    """Return the template variables of each reminder (by id), in one query: due_at, date, order and event.

    `event` has the properties of the event that began it, as the platform told them.
    """
    with connection.cursor() as cursor:
        cursor.execute(_VARIABLES, [list(items)])
        rows = cursor.fetchall()
    found = {}
    for pk, zone_name, due_at, anchor_at, event, about_order, *facts in rows:
        zone = _zone(zone_name)
        order = {name: _plain(fact, zone) for name, fact in zip(_ORDER, facts, strict=True)}
        found[pk] = {
            "due_at": _plain(due_at, zone),
            "date": _plain(anchor_at, zone)[:10],
            "order": order if about_order else None,
            "event": json.loads(event),
        }
    return found
