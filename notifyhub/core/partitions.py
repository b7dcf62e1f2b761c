"""Monthly and range partitions: made ahead of need, dropped as a whole."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import OperationalError, connection, transaction


def month_bounds(moment: datetime, *, ahead: int = 0) -> tuple[datetime, datetime]:
    """Return the first instant of the month `ahead` months after `moment`, and of the one after it (UTC)."""
    index = moment.year * 12 + moment.month - 1 + ahead
    start = datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC)
    index += 1
    return start, datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC)


def create_month_partition(table: str, moment: datetime, *, ahead: int = 0) -> str:
    """Make sure the partition of `table` for that month exists; return its name."""
    start, end = month_bounds(moment, ahead=ahead)
    name = f"{table}_{start:%Y%m}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} "
            f"FOR VALUES FROM ('{start.isoformat()}') TO ('{end.isoformat()}')"
        )
    return name


def create_range_partition(table: str, low: int, high: int, *, options: str = "") -> str:
    """Make sure the partition of `table` for `low <= key < high` exists; return its name."""
    name = f"{table}_{low}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} "
            f"FOR VALUES FROM ({low}) TO ({high}) {options}"
        )
    return name


@dataclass(frozen=True, kw_only=True)
class Partition:
    """One partition and its bounds as the catalogue writes them; the default one has none."""

    name: str
    low: str = ""
    high: str = ""

    @property
    def is_default(self) -> bool:
        """Say whether this is where rows go that fit no other."""
        return not self.high


_BOUNDS = re.compile(r"FROM \('?([^')]+)'?\) TO \('?([^')]+)'?\)")

_PARTITIONS = """
SELECT c.relname, pg_get_expr(c.relpartbound, c.oid)
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = %s::regclass ORDER BY c.relname
"""


def partitions_of(table: str) -> list[Partition]:
    """Return the partitions of `table` by name."""
    with connection.cursor() as cursor:
        cursor.execute(_PARTITIONS, [table])
        rows = cursor.fetchall()
    found = []
    for name, bounds in rows:
        match = _BOUNDS.search(bounds)
        found.append(Partition(name=name, low=match[1], high=match[2]) if match else Partition(name=name))
    return found


def ended_months(table: str, *, before: datetime) -> list[Partition]:
    """Return the partitions by month that hold nothing from `before` or later."""
    edge = f"{before.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    # The catalogue writes '2026-05-01 00:00:00+00' or '2026-05-01'; both sort by their text.
    return [
        one for one in partitions_of(table) if not one.is_default and one.high[:19] <= edge[: len(one.high)]
    ]


def drop_partition(table: str, name: str, *, wait: str = "2s") -> bool:
    """Drop one partition as a whole; return False if the table was too busy for that just now.

    Detaching needs the parent for an instant, and whoever queues for it makes others queue behind: hence the
    short wait. (Detaching CONCURRENTLY is not offered for tables with a default partition.)
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{wait}'")
            cursor.execute(f"ALTER TABLE {table} DETACH PARTITION {name}")
            cursor.execute(f"DROP TABLE {name}")
    except OperationalError:
        return False
    return True


def stray_rows(table: str, *, limit: int = 1000) -> int:
    """Return how many rows (counted up to `limit`) lie in the default partition, where none should."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM (SELECT 1 FROM {table}_default LIMIT %s) AS rows", [limit])
        return int(cursor.fetchone()[0])
