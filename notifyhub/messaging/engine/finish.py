"""Ending dispatches: the tick decides, never the last worker."""

import logging

from django.db import connection, transaction
from django.utils import timezone

from notifyhub.messaging.engine.counts import fold_counts
from notifyhub.messaging.models import Dispatch
from notifyhub.messaging.signals import dispatch_finished

logger = logging.getLogger(__name__)
State = Dispatch.State

_OPEN_ROW = """
SELECT EXISTS (SELECT 1 FROM messaging_delivery WHERE dispatch_id = %s AND state = 0)
"""

# Rows that no batch will ever reach: a guard against our own mistakes, which must not lose a message.
_ADOPT = """
INSERT INTO messaging_batch (dispatch_id, channel, priority, lo, hi, ids, not_before, cursor, open_to, state,
    epoch, tries, owner, sent, failed, skipped, unknown, delivered, expired, cancelled, deferred, reasons)
SELECT d.dispatch_id, d.channel, j.priority, min(d.id), max(d.id), array_agg(d.id ORDER BY d.id),
       statement_timestamp(), min(d.id) - 1, min(d.id) - 1, 0, 0, 0, '', 0, 0, 0, 0, 0, 0, 0, 0, '{}'
FROM (SELECT dispatch_id, id, channel FROM messaging_delivery
      WHERE dispatch_id = %s AND state = 0 ORDER BY id LIMIT 500) d
JOIN messaging_dispatch j ON j.id = d.dispatch_id
GROUP BY d.dispatch_id, d.channel, j.priority
"""


def finish_dispatches() -> int:
    """Fold the counts of all open dispatches and end those without an open row; return how many ended."""
    # Paused ones are counted too: their windows end after the pause.
    open_states = [State.RUNNING, State.CANCELLING, State.PAUSED, State.PLANNING]
    states = dict(Dispatch.objects.filter(state__in=open_states).values_list("pk", "state"))
    counts = fold_counts(list(states))
    ended = 0
    for dispatch_id, state in states.items():
        # What is still being planned or is paused cannot end, whatever its batches say. Without batches
        # nobody was there to send to.
        found = counts.get(dispatch_id)
        if state in (State.RUNNING, State.CANCELLING) and not (found and found.batches_open):
            ended += _end(dispatch_id)
    return ended


def _end(dispatch_id: int) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        dispatch = Dispatch.objects.select_for_update().get(pk=dispatch_id)
        if dispatch.state not in (State.RUNNING, State.CANCELLING):
            return 0
        # Now that nobody can add to it: a last look, since batches may have come while we counted.
        found = fold_counts([dispatch_id]).get(dispatch_id)
        if found and found.batches_open:
            return 0
        cursor.execute(_OPEN_ROW, [dispatch_id])
        if cursor.fetchone()[0]:
            logger.error("Dispatch %s has rows that belong to no batch; they get one", dispatch_id)
            cursor.execute(_ADOPT, [dispatch_id])
            return 0
        cancelled = dispatch.state == State.CANCELLING
        ended = Dispatch.FLOW.advance(
            Dispatch.objects.filter(pk=dispatch_id),
            to=State.CANCELLED if cancelled else State.FINISHED,
            finished_at=timezone.now(),
            rate=None,
        )
    if ended:
        dispatch_finished.send_robust(sender=None, dispatch_id=dispatch_id)
    return ended
