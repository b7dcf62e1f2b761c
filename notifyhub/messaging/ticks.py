"""The engine's periodic work; each is idempotent and puts right what a lost doorbell or process left."""

from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notifyhub.core.partitions import create_month_partition, create_range_partition
from notifyhub.core.registry import Tick, ticks
from notifyhub.messaging.engine import bells
from notifyhub.messaging.engine.chain import look_at_due
from notifyhub.messaging.engine.finish import finish_dispatches
from notifyhub.messaging.engine.lease import is_due
from notifyhub.messaging.engine.planner import open_scheduled
from notifyhub.messaging.engine.reaper import reap_expired_leases
from notifyhub.messaging.migrations._sql import GUESS_DISPATCHES, LEAF_OPTIONS, RANGE
from notifyhub.messaging.models import Dispatch
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.retention import MONTHLY, drop_old_partitions
from notifyhub.messaging.services.digests.closing import close_due_digests
from notifyhub.messaging.services.punctuality import roll_up
from notifyhub.messaging.services.punctuality.rolling import fold_tallies
from notifyhub.messaging.services.receipts import drop_old_receipts, look_up_due, match_receipts
from notifyhub.messaging.services.replies import drop_old_replies, take_replies
from notifyhub.messaging.services.telling import tell_own_events

MONTHS_AHEAD = 3


def plan_due_dispatches() -> int:
    """Ring for every dispatch that is to be planned now; return how many there were."""
    open_scheduled()
    rows = Dispatch.objects.filter(state=Dispatch.State.PLANNING)
    waiting = list(rows.values_list("pk", "priority", "audience"))
    for dispatch_id, priority, audience in waiting:
        bells.ring_planner(dispatch_id, queue=bells.planning_queue(priority, audience))
    return len(waiting)


def ring_for_due_work() -> int:
    """Ring once for each class that has something due; return how many rang."""
    rang = 0
    for priority in Priority:
        if is_due(priority=priority):
            bells.ring_for(priority, expires=max(30, 4 * settings.TICK_SECONDS))
            rang += 1
    return rang


def make_partitions() -> int:
    """Make the ledger's partitions ahead of need; return how many were looked at."""
    now = timezone.now()
    for ahead in range(MONTHS_AHEAD + 1):
        for table in MONTHLY.values():
            create_month_partition(table, now, ahead=ahead)
    last = Dispatch.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    low = (last // RANGE + 1) * RANGE
    made = create_range_partition("messaging_delivery", low, low + RANGE, options=LEAF_OPTIONS)
    with connection.cursor() as cursor:
        cursor.execute(GUESS_DISPATCHES.replace("messaging_delivery", made))
    return len(MONTHLY) * (MONTHS_AHEAD + 1) + 1


def register() -> None:
    """Hand the ticks to the registry."""
    every = settings.TICK_SECONDS
    for name, run, seconds, label in (
        ("messaging.plan", plan_due_dispatches, every, _("Plan due dispatches")),
        ("messaging.reap", reap_expired_leases, every, _("Return the leases of dead workers")),
        ("messaging.receipts", match_receipts, 60, _("Match receipts with their messages")),
        ("messaging.replies", take_replies, every, _("Work on what customers replied")),
        ("messaging.forget_replies", drop_old_replies, 6 * 3600, _("Delete old replies")),
        ("messaging.lookup", look_up_due, 60, _("Ask providers about messages in doubt")),
        ("messaging.forget_receipts", drop_old_receipts, 3600, _("Delete receipts after seven days")),
        ("messaging.ring", ring_for_due_work, every, _("Wake the workers for what is due")),
        ("messaging.chain", look_at_due, every, _("See whether a next step is needed")),
        ("messaging.digest", close_due_digests, every, _("Close the digests that are due")),
        ("messaging.finish", finish_dispatches, every, _("Count dispatches and end those that are done")),
        (
            "messaging.partitions",
            make_partitions,
            int(timedelta(hours=6).total_seconds()),
            _("Make ledger partitions"),
        ),
        ("messaging.tally", roll_up, max(5, every), _("Count what was sent, and how punctually")),
        ("messaging.own_events", tell_own_events, max(5, every), _("Tell what became of messages")),
        ("messaging.fold", fold_tallies, 3600, _("Fold old counts")),
        ("messaging.retention", drop_old_partitions, 6 * 3600, _("Drop what is older than it is kept")),
    ):
        ticks.register(name, Tick(run=run, every_seconds=seconds, label=label))
