"""The time zones this database knows: a zone it does not know would fail the statement of thousands."""

from functools import lru_cache

from django.db import connection


@lru_cache(maxsize=1)
def known_zones() -> tuple[str, ...]:
    """Return their names; asked once per process, for the view behind it reads a folder."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_timezone_names")
        return tuple(sorted(row[0] for row in cursor.fetchall()))
