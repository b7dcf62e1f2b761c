"""What `doctor` asks of messaging: is anything waiting that should not be, in doubt, or shut?"""

from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from notifyhub.core.partitions import stray_rows
from notifyhub.core.registry import Finding, doctor_checks
from notifyhub.messaging.models import AccountGate, Batch, DeliveryEvent, Dispatch
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.retention import WATCHED
from notifyhub.messaging.services.doubt import messages_in_doubt
from notifyhub.messaging.services.halts import halts_in_force
from notifyhub.messaging.services.punctuality import punctuality_lines
from notifyhub.messaging.services.punctuality.sql import KINDS

# How long something due may lie before somebody should look.
LATE = {Priority.REALTIME: timedelta(seconds=30), Priority.BULK: timedelta(minutes=10)}

# What somebody ordered to stand still is told by the check of halts, and is not late by neglect.
_QUEUE = """
SELECT b.priority, j.message_class, count(*),
       coalesce(sum(coalesce(array_length(b.ids, 1), b.hi - b.cursor)), 0)::bigint, min(b.not_before),
       min(b.not_before) FILTER (WHERE NOT EXISTS (
           SELECT 1 FROM messaging_halt t WHERE t.lifted_at IS NULL AND (
               t.scope = 'all' OR (t.scope = 'class' AND t.value = j.message_class)
               OR (t.scope = 'channel' AND t.value = b.channel)
               OR (t.scope = 'restored' AND b.not_before < t.placed_at))))
FROM messaging_batch b JOIN messaging_dispatch j ON j.id = b.dispatch_id
WHERE b.state = 0 AND b.not_before <= statement_timestamp() AND j.state IN ('running', 'cancelling')
GROUP BY b.priority, j.message_class
"""

# What the tick has counted, what happened since, and what vendors reported; the last is counted along the
# index and no further than anybody reads.
_TODAY = """
SELECT kind, sum(n)::bigint FROM (
    SELECT kind, sum(count) AS n FROM messaging_sendtally
    WHERE minute >= %(midnight)s AND kind = ANY(%(own)s) GROUP BY kind
    UNION ALL
    SELECT kind, count(*) FROM messaging_deliveryevent
    WHERE at > greatest(%(midnight)s, (SELECT max(upto) FROM messaging_bookmark)) AND kind = ANY(%(own)s)
    GROUP BY kind
    UNION ALL
    SELECT k, (SELECT count(*) FROM (SELECT 1 FROM messaging_deliveryevent
                                     WHERE kind = k AND kind <> 'sent' AND at >= %(midnight)s LIMIT 100000) c)
    FROM unnest(%(told)s::text[]) AS k
) t GROUP BY kind HAVING sum(n) > 0
"""
TOLD = [kind.value for kind in DeliveryEvent.Kind if kind.value not in KINDS]
# Below this share, and above so many messages in the hour, lateness is no accident.
ON_TIME, ENOUGH = 0.95, 20


def check_queue() -> Finding:
    """Return the depth and age of what is due, by queue and by class."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(_QUEUE)
        rows = cursor.fetchall()
    data: dict[str, Any] = {
        priority.name.lower(): {"batches": 0, "messages": 0, "oldest_seconds": 0.0} for priority in Priority
    }
    data["oldest_by_class"] = {}
    late = False
    for number, message_class, batches, messages, oldest, neglected in rows:
        priority = Priority(number)
        age = round(max(0.0, (now - oldest).total_seconds()), 1)
        line = data[priority.name.lower()]
        line["batches"] += batches
        line["messages"] += int(messages)
        line["oldest_seconds"] = max(line["oldest_seconds"], age)
        data["oldest_by_class"][message_class] = max(data["oldest_by_class"].get(message_class, 0.0), age)
        late = late or (neglected is not None and now - neglected > LATE[priority])
    if late:
        message = _("Messages that are due are waiting for a worker.")
        return Finding(level="warning", message=message, data=data)
    return Finding(level="ok", message=_("Nothing that is due waits."), data=data)


def check_today() -> Finding:
    """Return what happened to messages since midnight (UTC) by kind of event."""
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(_TODAY, {"midnight": midnight, "own": list(KINDS), "told": TOLD})
        data = {kind: int(count) for kind, count in cursor.fetchall()}
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
    doubt = messages_in_doubt()
    planning = Dispatch.objects.filter(
        state=Dispatch.State.PLANNING, created_at__lt=timezone.now() - timedelta(minutes=30)
    ).count()
    data = {
        "unknown": doubt.count,
        "by_cause": {cause.words: cause.count for cause in doubt.causes},
        "long_in_planning": planning,
    }
    if doubt.count:
        return Finding(level="warning", message=_("Messages in doubt: %d") % doubt.count, data=data)
    return Finding(level="ok", message=_("No message is in doubt."), data=data)


def check_halts() -> Finding:
    """Return what somebody ordered to stand still."""
    lines = halts_in_force()
    data = {
        "halts": [
            {"scope": one.scope, "value": one.value, "reason": one.reason, "by": one.by, "since": one.since}
            for one in lines
        ]
    }
    if lines:
        return Finding(level="warning", message=" ".join(line.words for line in lines), data=data)
    return Finding(level="ok", message=_("Nothing stands still by order."), data=data)


def check_on_time() -> Finding:
    """Return how punctual each class was in the last two hours."""
    lines = punctuality_lines(hours=2)
    data: dict[str, Any] = {
        line.message_class: {
            "on_time": line.on_time,
            "late": line.late,
            "share": line.share,
            "p50_seconds": line.p50,
            "p95_seconds": line.p95,
            "target_seconds": line.target,
            "causes": dict(line.causes),
        }
        for line in lines
    }
    late = [line.label for line in lines if (line.share or 1) < ON_TIME and line.total >= ENOUGH]
    if late:
        message = _("Sent late more often than promised: %(classes)s.") % {"classes": ", ".join(late)}
        return Finding(level="warning", message=message, data=data)
    return Finding(level="ok", message=_("Messages are sent on time."), data=data)


def check_partitions() -> Finding:
    """Return the rows that found no partition: the tick that makes them ahead did not run."""
    stray = {table: rows for table in WATCHED if (rows := stray_rows(table))}
    if stray:
        message = _("Rows lie in a default partition: %(tables)s. Was the tick that makes partitions off?")
        return Finding(level="warning", message=message % {"tables": ", ".join(stray)}, data={"stray": stray})
    return Finding(level="ok", message=_("Every row has its partition."), data={"stray": {}})


def register() -> None:
    """Hand the checks to the registry."""
    for name, check in (
        ("queue", check_queue),
        ("deliveries", check_today),
        ("leases", check_leases),
        ("circuits", check_circuits),
        ("unknown", check_unknown),
        ("halts", check_halts),
        ("on_time", check_on_time),
        ("partitions", check_partitions),
    ):
        doctor_checks.register(name, check)
