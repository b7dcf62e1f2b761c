"""The rows of a chunk as something SQL can select from.

Many rows are copied into a temporary table: unlogged, seen by this transaction alone, gone at its end, so
a killed process leaves no personal data behind. A handful goes along as arrays, since making a temporary
table for each API request would bloat the catalogue.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

FEW = 200

PEOPLE = (
    ("customer_id", "bigint"),
    ("line", "bigint"),
    ("fresh", "boolean"),
    ("external_id", "text"),
    ("name", "text"),
    ("locale", "text"),
    ("time_zone", "text"),
    ("city", "text"),
    ("tags", "text"),
    ("attributes", "text"),
    ("provisional", "boolean"),
)
CONTACTS = (
    ("customer_id", "bigint"),
    ("kind", "text"),
    ("value", "bytea"),
    ("value_hash", "bytea"),
    ("last7_hash", "bytea"),
    ("last4", "text"),
    ("masked", "text"),
    ("is_primary", "boolean"),
)
# Between the tags of one cell; a control character, which no tag may hold.
TAG_GLUE = "\x1f"


@dataclass(frozen=True)
class Source:
    """What to write after FROM, and the parameters that go with it."""

    sql: str
    params: tuple[Any, ...] = ()


def stage(name: str, columns: Sequence[tuple[str, str]], records: Sequence[tuple[Any, ...]]) -> Source:
    """Return a source with `records`; needs an open transaction."""
    if len(records) <= FEW:
        return _inline(columns, records)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS pg_temp.{name}")
        wanted = ", ".join(f"{column} {kind}" for column, kind in columns)
        cursor.execute(f"CREATE TEMPORARY TABLE {name} ({wanted}) ON COMMIT DROP")
        copy_rows(cursor, name, columns, records)
        cursor.execute(f"ANALYZE {name}")
    return Source(name)


def copy_rows(
    cursor: Any, table: str, columns: Sequence[tuple[str, str]], records: Iterable[tuple[Any, ...]]
) -> None:
    """COPY `records` into `table`."""
    names = ", ".join(f'"{column}"' for column, _kind in columns)
    with cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types([kind for _column, kind in columns])
        for record in records:
            copy.write_row(record)


def _inline(columns: Sequence[tuple[str, str]], records: Sequence[tuple[Any, ...]]) -> Source:
    arrays = ", ".join(f"%s::{kind}[]" for _column, kind in columns)
    names = ", ".join(column for column, _kind in columns)
    turned: list[list[Any]] = [list(values) for values in zip(*records, strict=True)] or [[] for _ in columns]
    return Source(f"(SELECT * FROM unnest({arrays}) AS u ({names}))", tuple(turned))


def as_json(value: dict[str, Any]) -> str | None:
    """Return `value` as JSON text, or None if it is empty."""
    return json.dumps(value, ensure_ascii=False) if value else None
