"""The customer's time zone in SQL."""

from typing import Any

from django.conf import settings

from notifyhub.customers.services.zones import known_zones

# A zone that this database does not know must not stop everybody else's reminders.
ZONE_JOIN = "LEFT JOIN unnest(%(zones)s::text[]) AS z (name) ON z.name = c.time_zone"
ZONE = "coalesce(z.name, %(home)s)"


def zone_params() -> dict[str, Any]:
    """Return the parameters of ZONE and ZONE_JOIN."""
    return {"zones": list(known_zones()), "home": settings.TIME_ZONE}
