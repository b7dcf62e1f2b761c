"""The customer's time zone in SQL."""

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import connection

# A zone that this database does not know must not stop everybody else's reminders.
ZONE_JOIN = "LEFT JOIN unnest(%(zones)s::text[]) AS z (name) ON z.name = c.time_zone"
ZONE = "coalesce(z.name, %(home)s)"


@lru_cache(maxsize=1)
def known_zones() -> tuple[str, ...]:
    """Return the time zones this database knows; asked once per process, for the view reads a folder."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_timezone_names")
        return tuple(sorted(row[0] for row in cursor.fetchall()))


def zone_params() -> dict[str, Any]:
    """Return the parameters of ZONE and ZONE_JOIN."""
    return {"zones": list(known_zones()), "home": settings.TIME_ZONE}
