"""What this house itself tells of a customer: clicked, bounced, case closed; kept beside the platform's.

The apps above hand in sets; a message id says what makes each event one and the same, so that telling twice
is harmless. The customer's timeline leaves them out: messages and cases have lines of their own there.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from django.db import connection, transaction

from notifyhub.customers.models import Event
from notifyhub.customers.services.events.shapes import json_text
from notifyhub.customers.signals import events_recorded

MAX_PROPERTIES = 4096

# A merged customer's event belongs to whom they became, an erased one's to nobody. As with the platform's,
# the key decides what is new, and the time is the clock's for those who follow it.
_RECORD = """
WITH RECURSIVE told AS MATERIALIZED (
    {select}
), person (start, id) AS (
    SELECT DISTINCT customer_id, customer_id FROM told
    UNION ALL
    SELECT p.start, c.merged_into_id FROM person p JOIN customers_customer c ON c.id = p.id
    WHERE c.merged_into_id IS NOT NULL
), ours AS MATERIALIZED (
    SELECT DISTINCT ON (t.message_id) t.message_id, p.id AS customer_id, t.name, t.occurred_at,
           t.order_number, t.properties
    FROM told t
    JOIN person p ON p.start = t.customer_id
    JOIN customers_customer c ON c.id = p.id AND c.state = 'active'
    ORDER BY t.message_id, t.occurred_at
), fresh AS (
    INSERT INTO customers_eventkey (message_id, event_id, received_at)
    SELECT message_id, nextval('customers_event_id_seq'), clock_timestamp() FROM ours ORDER BY message_id
    ON CONFLICT (message_id) DO NOTHING
    RETURNING message_id, event_id
), kept AS (
    INSERT INTO customers_event (
        id, received_at, occurred_at, customer_id, name, order_number, properties, source, message_id)
    SELECT f.event_id, clock_timestamp(), o.occurred_at, o.customer_id, o.name, left(o.order_number, 64),
           o.properties, %(own_source)s, o.message_id
    FROM ours o JOIN fresh f ON f.message_id = o.message_id
    RETURNING name, id
)
SELECT name, array_agg(id) FROM kept GROUP BY name
"""
_ONE = """
    SELECT %(message_id)s::text AS message_id, %(customer)s::bigint AS customer_id, %(name)s::text AS name,
           %(occurred_at)s::timestamptz AS occurred_at, %(order_number)s::text AS order_number,
           %(properties)s::jsonb AS properties
"""


@transaction.atomic
def record_own_events(*, select: str, params: Mapping[str, Any]) -> dict[str, list[int]]:
    """Keep the events that `select` gives, each message id once; return the ids of the new ones by name.

    `select` is SQL of the caller's own with the columns message_id, customer_id, name, occurred_at,
    order_number and properties. One statement, however many they are.
    """
    with connection.cursor() as cursor:
        cursor.execute(_RECORD.format(select=select), {**params, "own_source": Event.OWN})
        news: dict[str, list[int]] = dict(cursor.fetchall())
    if news:
        transaction.on_commit(partial(events_recorded.send_robust, sender=None, events=news))
    return news


def record_own_event(
    *,
    message_id: str,
    customer_id: int,
    name: str,
    occurred_at: datetime,
    order_number: str = "",
    properties: Mapping[str, Any] | None = None,
) -> bool:
    """Keep one event in the caller's transaction; return whether it is new and the customer is there."""
    params = {
        "message_id": message_id,
        "customer": customer_id,
        "name": name,
        "occurred_at": occurred_at,
        "order_number": order_number,
        "properties": json_text(properties or {}, field="properties", limit=MAX_PROPERTIES),
    }
    return bool(record_own_events(select=_ONE, params=params))
