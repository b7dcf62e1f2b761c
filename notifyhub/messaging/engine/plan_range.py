"""Cutting an audience into ranges, and what the database must know before it plans one."""

from dataclasses import dataclass
from typing import Any

from notifyhub.messaging.engine.plan_sql import Gates
from notifyhub.messaging.models.dispatch import ID_BLOCK

# What the planning statement joins. Of a table that was filled a moment ago and never looked at, the database
# expects one row in any range: it would then compare everybody with everybody.
_UNKNOWN = """
SELECT c.oid::regclass::text FROM pg_class c
WHERE c.reltuples < 0 AND c.oid IN ('customers_customer'::regclass, 'customers_contactpoint'::regclass,
    'customers_consent'::regclass, 'customers_hold'::regclass, 'customers_suppression'::regclass)
"""
MANY = 1_000

# One row per zone of the range, or one for all of it.
_BOUND = """
SELECT zone, min(id), max(id), count(*) FROM (
    SELECT {column} AS id, {zone} AS zone FROM {table}
    WHERE {column} > %(low)s AND {column} <= %(until)s AND ({where})
    ORDER BY {column} LIMIT %(chunk)s
) AS chunk GROUP BY zone
"""


def _source(gates: Gates) -> dict[str, str]:
    zone = "c.time_zone" if gates.has_zones else "''"
    if gates.audience is not None:
        return {"column": "c.id", "zone": zone, "table": "customers_customer c", "where": gates.audience}
    table = "messaging_dispatchitem i"
    if gates.has_zones:
        table += " JOIN customers_customer c ON c.id = i.customer_id"
    return {"column": "i.item", "zone": zone, "table": table, "where": "i.dispatch_id = %(dispatch)s"}


def last_id(cursor: Any, gates: Gates) -> int:
    """Return the last id there is now, so that customers who arrive later do not stretch the plan."""
    if gates.audience is not None:
        cursor.execute("SELECT coalesce(max(id), 0) FROM customers_customer")
    else:
        cursor.execute(
            "SELECT coalesce(max(item), 0) FROM messaging_dispatchitem WHERE dispatch_id = %s",
            [gates.dispatch_id],
        )
    return int(cursor.fetchone()[0])


@dataclass(frozen=True, kw_only=True)
class Range:
    """The next recipients, as many as one id block holds, at most.

    Their ids are in (`low`, `last`], so that no more is read of any table than what lies between them; the
    plan's cursor moves to `high`, which for the last ones is further.
    """

    people: int
    low: int
    last: int
    high: int
    zones: list[str]


def next_range(cursor: Any, gates: Gates, *, low: int, until: int) -> Range:
    """Return what the plan covers next, after `low` and up to `until` at most."""
    values = {"low": low, "until": until, "chunk": ID_BLOCK, "dispatch": gates.dispatch_id}
    if gates.span is not None:
        values |= {"low": max(low, gates.span[0] - 1), "until": min(until, gates.span[1])}
    cursor.execute(_BOUND.format(**_source(gates)), values)
    found = cursor.fetchall()
    people = sum(row[3] for row in found)
    know_tables(cursor, gates, people)
    last = max((row[2] for row in found), default=low)
    return Range(
        people=people,
        low=min((row[1] - 1 for row in found), default=low),
        last=last,
        high=last if people == ID_BLOCK else until,
        zones=[row[0] for row in found],
    )


def know_tables(cursor: Any, gates: Gates, people: int) -> None:
    """Have the tables analysed that never were, before many people are planned."""
    if gates.audience is None or people < MANY:
        return
    cursor.execute(_UNKNOWN)
    for (table,) in cursor.fetchall():
        cursor.execute(f"ANALYZE {table}")


def all_zones(cursor: Any, gates: Gates) -> list[str]:
    """Return the zones of everybody meant, if it matters where they are."""
    if not gates.has_zones:
        return []
    everybody = "SELECT DISTINCT {zone} FROM {table} WHERE {where}"
    cursor.execute(everybody.format(**_source(gates)), {"dispatch": gates.dispatch_id})
    return [row[0] for row in cursor.fetchall()]
