"""What a rule counts from, as SQL: one row for each customer and subject, whatever the start.

The columns of every start are customer_id, order_id, subject_ref, occurrence (NULL where the engine counts),
anchor_at, zone, event_id, facts, began_at and told_at (when we learned of it). A new kind of start, such as
the entry into a segment, is one more function with these columns in `anchors_of`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifyhub.customers.services.events.shapes import ORDER_EVENTS
from notifyhub.reminders.models import RuleVersion
from notifyhub.reminders.services.due_sql.times import at_clock
from notifyhub.reminders.services.due_sql.zones import ZONE, ZONE_JOIN, zone_params
from notifyhub.reminders.services.filters import compile_filters
from notifyhub.reminders.services.params import named

Start = RuleVersion.Start


@dataclass(frozen=True, kw_only=True)
class Anchors:
    """The SQL of anchors and its parameters."""

    sql: str
    params: dict[str, Any]


_LINES = "(%(lines)s::varchar[] = '{{}}' OR ord.line = ANY(%(lines)s::varchar[]))"

_ORDERS = (
    f"""
    SELECT c.id AS customer_id, ord.id AS order_id, 'order:' || ord.number AS subject_ref,
           NULL::int AS occurrence, ord.{{field}} AS anchor_at, {ZONE} AS zone, NULL::bigint AS event_id,
           '{{{{}}}}'::jsonb AS facts, %(now)s::timestamptz AS began_at, %(now)s::timestamptz AS told_at
    FROM customers_order ord
    JOIN customers_customer c ON c.id = ord.customer_id AND c.state = 'active'
    {ZONE_JOIN}
    WHERE ord.{{field}} BETWEEN %(first)s AND %(last)s {{whose}}
      AND """
    + _LINES
)

# Profile dates are text (1990-05-17). What is no date gives NULL and drops out; a day that its month does not
# have, such as 29 February in a common year, is the last one of the month.
_PROFILES = f"""
    SELECT c.id AS customer_id, NULL::bigint AS order_id,
           'customer:' || c.id || ':' || %(field)s AS subject_ref,
           {{occurrence}} AS occurrence, {at_clock("d.day::timestamp", ZONE)} AS anchor_at, {ZONE} AS zone,
           NULL::bigint AS event_id, '{{{{}}}}'::jsonb AS facts, %(now)s::timestamptz AS began_at,
           %(now)s::timestamptz AS told_at
    FROM customers_customer c
    {ZONE_JOIN}
    CROSS JOIN LATERAL (
        SELECT CASE WHEN c.attributes ->> %(field)s
            ~ '^(?!0000)[0-9]{{{{4}}}}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])($|[T ])'
            THEN c.attributes ->> %(field)s END AS written
    ) t
    CROSS JOIN LATERAL (SELECT make_date(year, substring(t.written FROM 6 FOR 2)::int, 1) AS month
                        FROM {{years}} AS year) m
    CROSS JOIN LATERAL (
        SELECT (m.month + least(substring(t.written FROM 9 FOR 2)::int, extract(day FROM
                m.month + interval '1 month - 1 day')::int) - 1) AS day
        OFFSET 0
    ) d
    WHERE c.state = 'active' AND c.attributes ? %(field)s AND t.written IS NOT NULL
      AND d.day BETWEEN %(first)s::date - 1 AND %(last)s::date + 1 {{whose}}
"""
_YEARS = "generate_series(extract(year FROM %(first)s::date)::int, extract(year FROM %(last)s::date)::int)"
_THE_YEAR = "CAST(substring(t.written FROM 1 FOR 4) AS int)"

# A subject longer than its column keeps its beginning and gets a fingerprint.
_FITTED = "CASE WHEN length({0}) <= 80 THEN {0} ELSE left({0}, 47) || '~' || md5({0}) END"
_OWN = "%(subject_property)s || ':' || (e.properties ->> %(subject_property)s)"
# What an event is about: what the rule says, else its order, else itself.
EVENT_SUBJECT = f"""CASE
    WHEN %(subject_property)s <> '' AND coalesce(e.properties ->> %(subject_property)s, '') <> ''
        THEN {_FITTED.format("(" + _OWN + ")")}
    WHEN e.order_number <> '' THEN 'order:' || e.order_number
    ELSE {_FITTED.format("('event:' || e.message_id)")} END"""

# A date alone is midnight, and a time without zone is read, on the customer's own clock.
_MOMENT = f"""CASE
    WHEN e.properties ->> %(field)s ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([T ][0-9:.]+)?$'
        AND pg_input_is_valid(e.properties ->> %(field)s, 'timestamp')
        THEN {at_clock("(e.properties ->> %(field)s)::timestamp", ZONE)}
    WHEN e.properties ->> %(field)s ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ][0-9:.]+(Z|[+-][0-9:]+)$'
        AND pg_input_is_valid(e.properties ->> %(field)s, 'timestamptz')
        THEN (e.properties ->> %(field)s)::timestamptz END"""

# A status that is not the newest of its order starts nothing, however late it comes.
_EVENTS = (
    f"""
    SELECT c.id AS customer_id, ord.id AS order_id, {EVENT_SUBJECT} AS subject_ref,
           NULL::int AS occurrence, {{moment}} AS anchor_at, {ZONE} AS zone, e.id AS event_id,
           e.properties AS facts, e.occurred_at AS began_at, e.received_at AS told_at
    FROM customers_event e
    JOIN customers_customer c ON c.id = e.customer_id AND c.state = 'active'
    {ZONE_JOIN}
    LEFT JOIN customers_order ord ON e.order_number <> '' AND ord.number = e.order_number
        AND ord.customer_id = e.customer_id
    WHERE e.name = %(event_name)s AND {{which}} AND ({{filters}}) {{whose}}
      AND (e.order_number = '' OR NOT e.name = ANY(%(statuses)s::text[]) OR NOT EXISTS (
          SELECT 1 FROM customers_event n
          WHERE n.customer_id = e.customer_id AND n.order_number = e.order_number
            AND n.occurred_at > e.occurred_at AND n.received_at > e.occurred_at - interval '1 day'
            AND n.name = ANY(%(statuses)s::text[]) AND n.name <> e.name))
      AND """
    + _LINES
)


def order_statuses() -> list[str]:
    """Return the names of events that say how far an order has come."""
    return sorted(name for name, state in ORDER_EVENTS.items() if state is not None)


def anchors_of(
    version: RuleVersion,
    *,
    now: datetime,
    first: datetime,
    last: datetime,
    customer_ids: list[int] | None = None,
) -> Anchors:
    """Return the anchors between the two times, of all customers or of some.

    A start by events has none here: events come once, and are named by the caller (see event_anchors).
    """
    whose = "AND c.id = ANY(%(customers)s)" if customer_ids is not None else ""
    params = {
        **zone_params(),
        "now": now,
        "first": first,
        "last": last,
        "lines": list(version.lines),
        "customers": customer_ids,
        "field": version.date_field,
    }
    if version.start == Start.ORDER:
        field = RuleVersion.OrderDate(version.date_field).value
        return Anchors(sql=_ORDERS.format(field=field, whose=whose), params=params)
    sql = _PROFILES.format(
        whose=whose,
        years=_YEARS if version.yearly else _THE_YEAR,
        occurrence="extract(year FROM d.day)::int" if version.yearly else "to_char(d.day, 'YYYYMMDD')::int",
    )
    return Anchors(sql=sql, params=params)


def event_anchors(
    version: RuleVersion,
    *,
    now: datetime,
    which: str,
    params: dict[str, Any],
    statuses: list[str],
    customer_ids: list[int] | None = None,
) -> Anchors:
    """Return the anchors of the start events that `which` picks: SQL over the alias e with its params."""
    filters, values = compile_filters(version.event_filters)
    filters, more = named(filters, values, prefix="filter")
    whose = "AND c.id = ANY(%(customers)s)" if customer_ids is not None else ""
    moment = _MOMENT if version.date_field else "e.occurred_at"
    sql = _EVENTS.format(moment=moment, which=which, filters=filters, whose=whose)
    return Anchors(
        sql=f"SELECT * FROM ({sql}) k WHERE anchor_at IS NOT NULL",
        params={
            **zone_params(),
            **params,
            **more,
            "now": now,
            "event_name": version.event_name,
            "subject_property": version.subject_property,
            "field": version.date_field,
            "lines": list(version.lines),
            "statuses": statuses,
            "customers": customer_ids,
        },
    )
