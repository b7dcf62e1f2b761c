"""The one statement that says when a step is due for whom; planning and the dry run both ask it."""

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import connection

from notifyhub.reminders.models import ReminderRule, ReminderStep

# A bill that is paid in full is done, whatever the order's state says.
PAID = "(o.amount_due > 0 AND o.amount_paid >= o.amount_due)"
# Over the aliases o (order) and ru (rule): nothing is left to remind of.
DONE = f"(o.state = ANY(ru.stop_states) OR (ru.anchor = 'order.due_at' AND {PAID}))"

# Days land on the customer's own clock. A local time that daylight saving leaves out moves on by the hour
# left out; one that happens twice is taken once, on standard time.
_DUE = """CASE WHEN %(unit)s = 'days'
    THEN ((a.anchor_at AT TIME ZONE a.zone)::date + %(amount)s * interval '1 day' + %(at_time)s::time)
         AT TIME ZONE a.zone
    ELSE a.anchor_at + %(amount)s * interval '1 hour' END"""

# Between which dates an anchor can be due in the window. Two days on each side cover time zones and the hour
# of the day, and the caller's condition on due_at is exact.
_FROM = "now() - %(amount)s * %(span)s::interval - %(back)s::interval - interval '2 days'"
_TO = "now() - %(amount)s * %(span)s::interval + %(ahead)s::interval + interval '2 days'"

# A zone that this database does not know must not stop everybody else's reminders.
_ZONE = "LEFT JOIN unnest(%(zones)s::text[]) AS z (name) ON z.name = c.time_zone"

_ORDERS = """
    SELECT a.customer_id, a.order_id, a.subject_ref, NULL::int AS occurrence, a.anchor_at, {due} AS due_at,
           a.stopped
    FROM (
        SELECT o.customer_id, o.id AS order_id, 'order:' || o.number AS subject_ref,
               o.{anchor} AS anchor_at, coalesce(z.name, %(home)s) AS zone,
               (o.state = ANY(%(stop_states)s::varchar[]) OR {paid}) AS stopped
        FROM customers_order o
        JOIN customers_customer c ON c.id = o.customer_id AND c.state = 'active'
        {zone}
        WHERE o.{anchor} BETWEEN {first} AND {last} {whose}
          AND (%(lines)s::varchar[] = '{{}}' OR o.line = ANY(%(lines)s::varchar[]))
    ) a
"""

# Profile dates are text (1990-05-17). What is no date gives NULL and drops out; a day that its month does not
# have, such as 29 February in a common year, is the last one of the month.
_CUSTOMERS = """
    SELECT a.customer_id, NULL::bigint AS order_id, a.subject_ref, a.occurrence, a.anchor_at, {due} AS due_at,
           false AS stopped
    FROM (
        SELECT c.id AS customer_id, 'customer:' || c.id || ':' || %(attribute)s AS subject_ref,
               {occurrence} AS occurrence, coalesce(z.name, %(home)s) AS zone,
               day::timestamp AT TIME ZONE coalesce(z.name, %(home)s) AS anchor_at
        FROM customers_customer c
        {zone}
        CROSS JOIN LATERAL (
            SELECT CASE WHEN c.attributes ->> %(attribute)s
                ~ '^(?!0000)[0-9]{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])($|[T ])'
                THEN c.attributes ->> %(attribute)s END AS written
        ) t
        CROSS JOIN LATERAL (SELECT make_date(year, substring(t.written FROM 6 FOR 2)::int, 1) AS month
                            FROM {years} AS year) m
        CROSS JOIN LATERAL (
            SELECT (m.month + least(substring(t.written FROM 9 FOR 2)::int, extract(day FROM
                    m.month + interval '1 month - 1 day')::int) - 1) AS day
        ) d
        WHERE c.state = 'active' AND c.attributes ? %(attribute)s AND t.written IS NOT NULL {whose}
    ) a
"""
_YEARS = "generate_series(extract(year FROM {first})::int, extract(year FROM {last})::int)"
_THE_YEAR = "CAST(substring(t.written FROM 1 FOR 4) AS int)"


@lru_cache(maxsize=1)
def known_zones() -> tuple[str, ...]:
    """Return the time zones this database knows; asked once per process, for the view reads a folder."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_timezone_names")
        return tuple(sorted(row[0] for row in cursor.fetchall()))


def due_rows(
    rule: ReminderRule, step: ReminderStep, *, back: str, ahead: str, customer_id: int | None = None
) -> tuple[str, dict[str, Any]]:
    """Return (sql, params) of the rows due from `back` ago until `ahead` from now, of all or one customer.

    The columns are customer_id, order_id, subject_ref, occurrence (NULL for orders), anchor_at, due_at and
    stopped. A margin beyond the window is included: the caller bounds due_at.
    """
    whose = "AND c.id = %(customer)s" if customer_id is not None else ""
    bounds = {"first": _FROM, "last": _TO}
    if rule.about_orders:
        anchor = rule.anchor.partition(".")[2]
        paid = PAID if rule.anchor == ReminderRule.Anchor.ORDER_DUE else "FALSE"
        sql = _ORDERS.format(anchor=anchor, due=_DUE, zone=_ZONE, whose=whose, paid=paid, **bounds)
    else:
        yearly = rule.anchor == ReminderRule.Anchor.CUSTOMER_DATE
        sql = _CUSTOMERS.format(
            due=_DUE,
            zone=_ZONE,
            whose=whose,
            years=_YEARS.format(**bounds) if yearly else _THE_YEAR,
            occurrence="extract(year FROM day)::int" if yearly else "to_char(day, 'YYYYMMDD')::int",
        )
    sign = -1 if step.side == ReminderStep.Side.BEFORE else 1
    return sql, {
        "rule": rule.pk,
        "step": step.number,
        "unit": step.unit,
        "amount": sign * step.amount,
        "span": "1 day" if step.unit == ReminderStep.Unit.DAYS else "1 hour",
        "at_time": step.at_time,
        "attribute": rule.attribute,
        "back": back,
        "ahead": ahead,
        "stop_states": list(rule.stop_states),
        "lines": list(rule.lines),
        "zones": list(known_zones()),
        "home": settings.TIME_ZONE,
        "customer": customer_id,
    }
