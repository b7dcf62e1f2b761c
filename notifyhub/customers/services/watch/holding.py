"""Holding the orders that an alert is about, and letting them go."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Alert, Hold, WatchRule
from notifyhub.staff.services import audit

ORIGIN = "watch"

# The orders of the events whose finding still stands.
_SUBJECTS = """
SELECT DISTINCT v.alert_id, v.customer_id, 'order:' || v.order_number AS subject
FROM customers_alertevent v
WHERE v.alert_id = ANY (%(alerts)s) AND v.order_number <> '' AND v.order_number !~ '\\s'
  AND EXISTS (SELECT 1 FROM customers_watchfinding f
              WHERE f.alert_id = v.alert_id AND f.key = v.key AND f.standing AND NOT f.muted)
"""
# An order that somebody let go stays free: the alert has placed its hold once.
_PLACE = f"""
INSERT INTO customers_hold (
    customer_id, scope, scope_value, reason, origin_kind, origin_id, placed_at, ends_at)
SELECT s.customer_id, 'subject', s.subject, %(reason)s, 'watch', s.alert_id::text, %(now)s, %(ends)s
FROM ({_SUBJECTS}) s JOIN customers_customer c ON c.id = s.customer_id AND c.state = 'active'
WHERE NOT EXISTS (SELECT 1 FROM customers_hold h WHERE h.customer_id = s.customer_id
    AND h.scope = 'subject' AND h.scope_value = s.subject AND h.origin_kind = 'watch'
    AND h.origin_id = s.alert_id::text)
ORDER BY s.customer_id, s.subject
"""
_FREE = f"""
UPDATE customers_hold h SET released_at = clock_timestamp()
WHERE h.origin_kind = 'watch' AND h.origin_id = ANY (%(texts)s) AND h.scope = 'subject'
  AND h.released_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM ({_SUBJECTS}) s WHERE s.alert_id::text = h.origin_id
      AND s.customer_id = h.customer_id AND s.subject = h.scope_value)
"""


def hold_subjects(*, rule: WatchRule, alerts: list[int], now: datetime) -> int:
    """Hold the orders of these alerts, each once; return how many are new."""
    values: dict[str, Any] = {
        "alerts": alerts,
        "now": now,
        "ends": now + timedelta(hours=rule.hold_hours) if rule.hold_hours else None,
        "reason": rule.name[:200],
    }
    with connection.cursor() as cursor:
        cursor.execute(_PLACE, values)
        placed = cursor.rowcount
    if placed:
        audit.record(verb="hold_orders", obj=rule, alerts=alerts[:50], holds=placed)
    return placed


def release_settled(*, alerts: list[int]) -> int:
    """Release the holds of what no longer stands; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_FREE, {"alerts": alerts, "texts": [str(pk) for pk in alerts]})
        return cursor.rowcount


def holds_of(alert: Alert) -> QuerySet[Hold]:
    """Return the holds of an alert that are in force."""
    rows = Hold.objects.in_force(timezone.now())
    return rows.filter(origin_kind=ORIGIN, origin_id=str(alert.pk))


@transaction.atomic
def release_alert_holds(*, alert_id: int, reason: str) -> int:
    """Let messages about the orders of an alert go on; return how many holds ended. Needs a reason."""
    if not reason.strip():
        raise Refused(_("Say why these messages may go on."), field="reason")
    alert = Alert.objects.get(pk=alert_id)
    released = holds_of(alert).update(released_at=timezone.now())
    if released:
        audit.record(verb="release_alert_holds", obj=alert, reason=reason.strip(), holds=released)
    return released
