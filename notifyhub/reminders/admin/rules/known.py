"""What the rule page may suggest: events of the catalogue with their words, properties, profile fields."""

from typing import Any

from django.db import connection

from notifyhub.customers.models import EventName, EventProperty
from notifyhub.customers.words import EVENTS, attribute_words, event_words

MOST_NAMES, MOST_PROPERTIES = 300, 60
_FIELDS = f"""
SELECT DISTINCT jsonb_object_keys(
    CASE jsonb_typeof(c.attributes) WHEN 'object' THEN c.attributes ELSE '{{}}' END)
FROM (SELECT attributes FROM customers_customer ORDER BY id DESC LIMIT 200) c ORDER BY 1
LIMIT {MOST_PROPERTIES}
"""

Named = list[tuple[str, Any]]


def suggestions(event_name: str) -> dict[str, Named]:
    """Return (name, words) to offer: events, properties of the event, fields of profiles. Three queries.

    Events of the catalogue come first, the most frequent before the rare; after them those that platforms
    commonly send, for a rule may be written before its first event has come.
    """
    names = list(EventName.objects.order_by("-total", "name").values_list("name", flat=True)[:MOST_NAMES])
    keys = EventProperty.objects.filter(event__name=event_name).order_by("key")
    with connection.cursor() as cursor:
        cursor.execute(_FIELDS)
        fields = [row[0] for row in cursor.fetchall()]
    return {
        "events": [(name, event_words(name)) for name in dict.fromkeys([*names, *EVENTS])],
        "properties": list(keys.values_list("key", "purpose")[:MOST_PROPERTIES]) if event_name else [],
        "fields": [(name, attribute_words(name)) for name in fields],
    }
