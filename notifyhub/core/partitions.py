"""Monthly and range partitions: made ahead of need, dropped as a whole."""

from datetime import UTC, datetime

from django.db import connection


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
