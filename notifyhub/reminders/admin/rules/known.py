"""What the rule page may suggest: events that came lately, their properties, fields of profiles."""

from typing import Any

from django.db import connection

# One look-up by the index on (name, id) for each name there is, however many events.
_NAMES = """
WITH RECURSIVE t AS (
    (SELECT name FROM customers_event ORDER BY name LIMIT 1)
    UNION ALL
    SELECT (SELECT e.name FROM customers_event e WHERE e.name > t.name ORDER BY e.name LIMIT 1)
    FROM t WHERE t.name IS NOT NULL
)
SELECT name FROM t WHERE name IS NOT NULL LIMIT 300
"""
_PROPERTIES = """
SELECT DISTINCT jsonb_object_keys(
    CASE jsonb_typeof(e.properties) WHEN 'object' THEN e.properties ELSE '{}' END)
FROM (SELECT properties FROM customers_event WHERE name = %s ORDER BY id DESC LIMIT 50) e ORDER BY 1 LIMIT 60
"""
_FIELDS = """
SELECT DISTINCT jsonb_object_keys(
    CASE jsonb_typeof(c.attributes) WHEN 'object' THEN c.attributes ELSE '{}' END)
FROM (SELECT attributes FROM customers_customer ORDER BY id DESC LIMIT 200) c ORDER BY 1 LIMIT 60
"""
# Names that the house's own texts and examples use, before the first event has come.
USUAL = (
    "order_placed",
    "order_paid",
    "order_cancelled",
    "order_completed",
    "booking_confirmed",
    "cart_abandoned",
    "arrangement_agreed",
    "refund_asked",
)


def _column(sql: str, params: list[Any] | None = None) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params or [])
        return [row[0] for row in cursor.fetchall()]


def suggestions(event_name: str) -> dict[str, list[str]]:
    """Return the names to offer: events, properties of the event, fields of profiles. Three queries."""
    names = _column(_NAMES)
    return {
        "events": sorted({*names, *USUAL}),
        "seen": names,
        "properties": _column(_PROPERTIES, [event_name]) if event_name else [],
        "fields": _column(_FIELDS),
    }
