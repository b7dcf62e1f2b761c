"""Forgetting what rules saw and raised."""

from datetime import timedelta

from django.db import connection
from django.utils import timezone

from notifyhub.customers.models import Alert, WatchMute

# An event told so long after it occurred still meets its company.
LATE_DAYS = 31
ALERT_DAYS = 400
PORTION = 20_000

_SIGHTINGS = """
DELETE FROM customers_watchsighting WHERE id IN (
    SELECT s.id FROM customers_watchsighting s JOIN customers_watchrule r ON r.id = s.rule_id
    WHERE r.state <> 'active' OR s.occurred_at < now() - make_interval(mins => r.minutes, days => %s)
    LIMIT %s)
"""


def forget_watch() -> int:
    """Delete sightings that nothing can meet any more, ended mutes and old alerts; return how many rows."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(_SIGHTINGS, [LATE_DAYS, PORTION])
        gone = cursor.rowcount
    gone += WatchMute.objects.filter(until__lt=now).delete()[0]
    old = Alert.objects.filter(raised_at__lt=now - timedelta(days=ALERT_DAYS)).order_by("pk")[:500]
    return gone + Alert.objects.filter(pk__in=list(old.values_list("pk", flat=True))).delete()[0]
