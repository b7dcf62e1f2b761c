"""What `doctor` asks of messaging: is anything waiting that should not be, in doubt, or shut?"""

from datetime import timedelta

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from notifyhub.core.registry import Finding, doctor_checks
from notifyhub.messaging.models import AccountGate, Batch, Delivery, DeliveryEvent, Dispatch
from notifyhub.messaging.models.dispatch import Priority

# How long something due may lie before somebody should look.
LATE = {Priority.REALTIME: timedelta(seconds=30), Priority.BULK: timedelta(minutes=10)}

_QUEUE = """
SELECT b.priority, count(*), coalesce(sum(coalesce(array_length(b.ids, 1), b.hi - b.cursor)), 0)::bigint,
       min(b.not_before)
FROM messaging_batch b JOIN messaging_dispatch j ON j.id = b.dispatch_id
WHERE b.state = 0 AND b.not_before <= statement_timestamp() AND j.state IN ('running', 'cancelling')
GROUP BY b.priority
"""

_TODAY = "SELECT kind, count(*) FROM messaging_deliveryevent WHERE at >= %s GROUP BY kind"


def check_queue() -> Finding:
    """Return the depth and age of what is due, by class."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(_QUEUE)
        rows = cursor.fetchall()
    empty: dict[str, float] = {"batches": 0, "messages": 0, "oldest_seconds": 0.0}
    data = {priority.name.lower(): empty for priority in Priority}
    late = False
    for number, batches, messages, oldest in rows:
        priority = Priority(number)
        age = max(0.0, (now - oldest).total_seconds())
        data[priority.name.lower()] = {
            "batches": batches,
            "messages": int(messages),
            "oldest_seconds": round(age, 1),
        }
        late = late or age > LATE[priority].total_seconds()
    if late:
        message = _("Messages that are due are waiting for a worker.")
        return Finding(level="warning", message=message, data=data)
    return Finding(level="ok", message=_("Nothing that is due waits."), data=data)


def check_today() -> Finding:
    """Return what happened to messages since midnight (UTC) by kind of event."""
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(_TODAY, [midnight])
        data = dict(cursor.fetchall())
    return Finding(level="ok", message=_("Message events today."), data=data)


def check_leases() -> Finding:
    """Return how many leases ran out and were not taken back by the tick."""
    overdue = timezone.now() - timedelta(minutes=1)
    expired = Batch.objects.filter(state=Batch.State.LEASED, lease_until__lt=overdue).count()
    if expired:
        return Finding(
            level="error",
            message=ngettext(
                "%d lease ran out and was not taken back: is the tick running?",
                "%d leases ran out and were not taken back: is the tick running?",
                expired,
            )
            % expired,
            data={"expired": expired},
        )
    return Finding(level="ok", message=_("No lease has run out."), data={"expired": 0})


def check_circuits() -> Finding:
    """Return the circuits that are not closed."""
    rows = AccountGate.objects.exclude(circuit=AccountGate.Circuit.CLOSED).filter(account__active=True)
    shut = dict(rows.values_list("account__name", "circuit"))
    if shut:
        message = _("Provider accounts that do not answer: %s") % ", ".join(shut)
        return Finding(level="warning", message=message, data=shut)
    return Finding(level="ok", message=_("All provider accounts answer."), data={})


def check_unknown() -> Finding:
    """Return how many messages of the last week are in doubt."""
    since = timezone.now() - timedelta(days=7)
    events = DeliveryEvent.objects.filter(kind=DeliveryEvent.Kind.UNKNOWN, at__gte=since)
    recent = list(events.values_list("dispatch_id", flat=True).distinct()[:1000])
    in_doubt = Delivery.objects.filter(dispatch_id__in=recent, state=Delivery.State.UNKNOWN)
    unknown = in_doubt.count() if recent else 0
    planning = Dispatch.objects.filter(
        state=Dispatch.State.PLANNING, created_at__lt=timezone.now() - timedelta(minutes=30)
    ).count()
    data = {"unknown": unknown, "long_in_planning": planning}
    if unknown:
        return Finding(level="warning", message=_("Messages in doubt: %d") % unknown, data=data)
    return Finding(level="ok", message=_("No message is in doubt."), data=data)


def register() -> None:
    """Hand the checks to the registry."""
    for name, check in (
        ("queue", check_queue),
        ("deliveries", check_today),
        ("leases", check_leases),
        ("circuits", check_circuits),
        ("unknown", check_unknown),
    ):
        doctor_checks.register(name, check)
