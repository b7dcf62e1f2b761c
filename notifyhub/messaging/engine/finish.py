"""Ending dispatches: the tick decides, never the last worker."""

import logging

from django.db import connection, transaction
from django.utils import timezone

from notifyhub.messaging.engine.chain import close_looks
from notifyhub.messaging.engine.counts import Counts, fold_counts
from notifyhub.messaging.engine.reach import reach_of
from notifyhub.messaging.engine.selfpause import pause_failing
from notifyhub.messaging.models import Dispatch
from notifyhub.messaging.signals import dispatch_finished

logger = logging.getLogger(__name__)
State = Dispatch.State
ENDING: dict[str, str] = {State.RUNNING: State.FINISHED, State.CANCELLING: State.CANCELLED}

# Dispatches ended in one transaction: a thousand one-message dispatches a second must not mean as many.
AT_ONCE = 500

_WITH_OPEN_ROWS = """
SELECT w.id FROM unnest(%s::bigint[]) AS w(id)
WHERE EXISTS (SELECT 1 FROM messaging_delivery d WHERE d.dispatch_id = w.id AND d.state = 0)
"""

# Rows that no batch will ever reach: a guard against our own mistakes, which must not lose a message.
_ADOPT = """
INSERT INTO messaging_batch (dispatch_id, channel, priority, lo, hi, ids, not_before, cursor, open_to, step,
    watch)
SELECT d.dispatch_id, d.channel, j.priority, min(d.id), max(d.id), array_agg(d.id ORDER BY d.id),
       statement_timestamp(), min(d.id) - 1, min(d.id) - 1, d.step,
       d.step + 1 < jsonb_array_length(j.chain)
FROM (SELECT dispatch_id, id, channel, step FROM messaging_delivery
      WHERE dispatch_id = %s AND state = 0 ORDER BY id LIMIT 500) d
JOIN messaging_dispatch j ON j.id = d.dispatch_id
GROUP BY d.dispatch_id, d.channel, d.step, j.priority, j.chain
"""


def finish_dispatches() -> int:
    """Fold the counts of all open dispatches and end those without an open row; return how many ended."""
    # A wait for a next step that cannot come any more must not keep anything open.
    close_looks()
    # Paused ones are counted too: their windows end after the pause.
    open_states = [State.RUNNING, State.CANCELLING, State.PAUSED, State.PLANNING]
    states = dict(Dispatch.objects.filter(state__in=open_states).values_list("pk", "state"))
    counts = fold_counts(list(states))
    pause_failing([one for one, state in states.items() if state == State.RUNNING], counts)
    # What is still being planned or is paused cannot end, whatever its batches say. Without batches nobody
    # was there to send to.
    done = [
        dispatch_id
        for dispatch_id, state in states.items()
        if state in ENDING and not (dispatch_id in counts and counts[dispatch_id].batches_open)
    ]
    return sum(_end(done[start : start + AT_ONCE]) for start in range(0, len(done), AT_ONCE))


def _end(ids: list[int]) -> int:
    now = timezone.now()
    with transaction.atomic(), connection.cursor() as cursor:
        rows = Dispatch.objects.select_for_update(skip_locked=True).filter(pk__in=ids, state__in=ENDING)
        locked = dict(rows.values_list("pk", "state"))
        # A last look, since batches may have come while we counted.
        counts = fold_counts(list(locked))
        quiet = [one for one in locked if not (one in counts and counts[one].batches_open)]
        cursor.execute(_WITH_OPEN_ROWS, [quiet])
        orphaned = {row[0] for row in cursor.fetchall()}
        for dispatch_id in orphaned:
            logger.error("Dispatch %s has rows that belong to no batch; they get one", dispatch_id)
            cursor.execute(_ADOPT, [dispatch_id])
        ended = [one for one in quiet if one not in orphaned]
        for before, after in ENDING.items():
            chosen = Dispatch.objects.filter(pk__in=[one for one in ended if locked[one] == before])
            Dispatch.FLOW.advance(chosen, to=after, finished_at=now, rate=None)
    for dispatch_id in ended:
        _keep_reach(dispatch_id, counts.get(dispatch_id))
        dispatch_finished.send_robust(sender=None, dispatch_id=dispatch_id)
    return len(ended)


def _keep_reach(dispatch_id: int, counts: Counts | None) -> None:
    """Keep how many people a chain reached beyond the retention of its messages; else it follows from the
    counts."""
    if counts is not None and counts.planned > counts.people:
        reach = reach_of(dispatch_id, counts, ended=True)
        Dispatch.objects.filter(pk=dispatch_id).update(reached=reach.reached)
