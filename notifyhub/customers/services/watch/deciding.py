"""What staff decide about an alert."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Conflict, Refused
from notifyhub.customers.models import Alert, WatchFinding, WatchMute
from notifyhub.customers.services.watch.alerts import withdraw
from notifyhub.customers.services.watch.holding import holds_of, release_alert_holds
from notifyhub.staff.context import current_actor
from notifyhub.staff.services import audit

MUTE_DAYS = (1, 7, 30, 90)


@transaction.atomic
def handle_alert(*, alert_id: int, note: str, release: bool = False) -> Alert:
    """Close an alert as handled and return it; `release` lets messages about its orders go on.

    Raises Refused without a note, Conflict if somebody decided it already.
    """
    if not note.strip():
        raise Refused(_("Write what was done; colleagues read it here."), field="note")
    alert = _decide(alert_id, Alert.State.HANDLED, note)
    audit.record(verb="handle_alert", obj=alert, reason=note.strip())
    if release and holds_of(alert).exists():
        release_alert_holds(alert_id=alert_id, reason=note)
    return alert


@transaction.atomic
def dismiss_alert(*, alert_id: int, note: str, days: int = 7) -> Alert:
    """Close an alert as no problem, let its orders go, and keep the same quiet for `days`; return it."""
    if not note.strip():
        raise Refused(_("Write why this is not a problem."), field="note")
    if days not in MUTE_DAYS:
        raise Refused(_("Choose for how long it stays quiet."), field="days")
    until = timezone.now() + timedelta(days=days)
    alert = _decide(alert_id, Alert.State.DISMISSED, note)
    Alert.objects.filter(pk=alert_id).update(muted_until=until)
    alert.muted_until = until
    keys = sorted(
        WatchFinding.objects.filter(alert=alert, standing=True).values_list("key", flat=True).distinct()
    )
    WatchMute.objects.bulk_create(
        [WatchMute(rule_id=alert.rule_id, key=key, alert=alert, until=until) for key in keys],
        update_conflicts=True,
        unique_fields=["rule", "key"],
        update_fields=["alert", "until"],
    )
    audit.record(verb="dismiss_alert", obj=alert, reason=note.strip(), days=days, keys=len(keys))
    if holds_of(alert).exists():
        release_alert_holds(alert_id=alert_id, reason=note)
    return alert


def _decide(alert_id: int, to: str, note: str) -> Alert:
    actor = current_actor()
    moved = Alert.FLOW.advance(
        Alert.objects.filter(pk=alert_id),
        to=to,
        note=note.strip()[:500],
        decided_at=timezone.now(),
        decided_by_id=actor.id if actor.kind == "staff" else None,
    )
    alert = Alert.objects.select_related("decided_by", "rule").get(pk=alert_id)
    if not moved:
        who = alert.decided_by or _("the system")
        raise Conflict(_("%(who)s decided this alert already.") % {"who": who})
    withdraw([alert_id])
    return alert
