"""Making the rows and batches of a dispatch, a range of recipients at a time."""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Func, Value
from django.utils import timezone

from notifyhub.core.errors import Refused
from notifyhub.messaging.engine import bells
from notifyhub.messaging.engine.digest.gathering import NO_GATHERING, gathering_of
from notifyhub.messaging.engine.gates import gates_of
from notifyhub.messaging.engine.plan_limits import Clock, clocks_of
from notifyhub.messaging.engine.plan_range import Range, all_zones, know_tables, last_id, next_range
from notifyhub.messaging.engine.plan_sql import Gates, judged_sql
from notifyhub.messaging.engine.quiet import QUIET
from notifyhub.messaging.models import Batch, Delivery, DeliveryEvent, Dispatch

logger = logging.getLogger(__name__)

BATCH_ROWS = 500
# A dispatch for later is planned this long before it is due, so that the plan is fresh and the start on time.
PLAN_AHEAD = timedelta(minutes=2)

_INSERT = """
{judged},{sorting}
numbered AS (
    -- Sendable rows come first and stand densely by channel and send time: a batch is simply lo..hi.
    SELECT j.*, %(base)s + row_number() OVER (
        ORDER BY (j.reason <> ''), j.channel, j.send_at, j.dedup_key) - 1 AS id
    FROM {source} j
),
written AS (
    INSERT INTO messaging_delivery (dispatch_id, id, customer_id, contact_id, dedup_key, step, channel,
                                    send_at, state, reason, settled_at)
    SELECT %(dispatch)s, id, customer_id, contact_id, dedup_key, place, channel,
           CASE WHEN reason = '' THEN send_at ELSE %(send_at)s END,
           CASE WHEN reason = '' THEN 0 ELSE {state} END, reason,
           CASE WHEN reason = '' THEN NULL ELSE statement_timestamp() END
    FROM numbered
){waiting}{events}
SELECT channel, reason, CASE WHEN reason = '' THEN send_at ELSE %(send_at)s END, count(*), min(id), max(id),
       min(place)
FROM numbered GROUP BY 1, 2, 3
"""

# The numbers behind a limit, for the page of the message; other reasons have none at this moment.
_EVENTS = f""", told AS (
    INSERT INTO messaging_deliveryevent (at, dispatch_id, delivery_id, kind, code, detail)
    SELECT statement_timestamp(), %(dispatch)s, id, '{DeliveryEvent.Kind.SKIPPED.value}', reason, detail
    FROM numbered WHERE reason <> '' AND detail <> ''
)"""

_BATCHES = """
INSERT INTO messaging_batch (dispatch_id, channel, priority, lo, hi, not_before, cursor, open_to, waits_for,
    step, watch)
SELECT %(dispatch)s, %(channel)s, %(priority)s, lo, least(lo + %(rows)s - 1, %(last)s), %(send_at)s,
       lo - 1, lo - 1, %(waits_for)s, %(step)s, %(watch)s
FROM generate_series(%(first)s::bigint, %(last)s::bigint, %(rows)s) AS lo
"""


def open_scheduled() -> int:
    """Let those scheduled dispatches be planned that are due soon; return how many there were."""
    soon = timezone.now() + PLAN_AHEAD
    due = Dispatch.objects.filter(state=Dispatch.State.SCHEDULED, send_at__lte=soon)
    return due.update(state=Dispatch.State.PLANNING)


def plan_dispatch(*, dispatch_id: int, chunks: int | None = None, known: Dispatch | None = None) -> bool:
    """Plan the dispatch range by range, each in its own transaction; return whether nothing is left to plan.

    `known` is the dispatch itself for whoever has just made it in this transaction.

    Running it again, or twice at once, changes nothing: the cursor moves by a guarded UPDATE in the
    transaction that writes the rows. Sending starts when the last range is written.
    """
    done = 0
    while chunks is None or done < chunks:
        if not plan_chunk(dispatch_id=dispatch_id, known=known):
            return True
        known = None
        done += 1
    return not Dispatch.objects.filter(pk=dispatch_id, state=Dispatch.State.PLANNING).exists()


@transaction.atomic
def plan_chunk(*, dispatch_id: int, known: Dispatch | None = None) -> bool:
    """Plan the next range; return whether another follows, False also if there was none for us to plan."""
    dispatch = known or Dispatch.objects.select_related("topic").filter(pk=dispatch_id).first()
    if dispatch is None or dispatch.state != Dispatch.State.PLANNING:
        return False
    try:
        gates = gates_of(dispatch)
    except Refused as refusal:
        _give_up(dispatch, refusal)
        return False
    with connection.cursor() as cursor:
        # Compiling costs more than it saves on statements of this size.
        cursor.execute("SET LOCAL jit = off; SET LOCAL work_mem = '64MB'")
        low, until = dispatch.plan_cursor, dispatch.plan_until
        if until is None:
            until = last_id(cursor, gates)
        found = next_range(cursor, gates, low=low, until=until)
        base = _take_block(cursor) if found.people else None
        if not _move(dispatch, high=found.high, until=until, base=base):
            return False
        if base is not None:
            _write(cursor, dispatch, gates, found, base=base)
    if found.high >= until:
        bells.ring_for(dispatch.priority)
    return found.high < until


def _take_block(cursor: Any) -> int:
    cursor.execute("SELECT nextval('messaging_delivery_block')")
    return int(cursor.fetchone()[0])


def _move(dispatch: Dispatch, *, high: int, until: int, base: int | None) -> int:
    """Move the plan's cursor, and with the last range let it run; return 0 if somebody else has moved it."""
    rows = Dispatch.objects.filter(
        pk=dispatch.pk,
        state=Dispatch.State.PLANNING,
        plan_cursor=dispatch.plan_cursor,
        plan_until=dispatch.plan_until,
    )
    changes: dict[str, Any] = {"plan_cursor": high, "plan_until": until}
    if base is not None:
        changes["blocks"] = Func(F("blocks"), Value(base), function="array_append")
    if high < until:
        return rows.update(**changes)
    return Dispatch.FLOW.advance(rows, to=Dispatch.State.RUNNING, started_at=timezone.now(), **changes)


def _give_up(dispatch: Dispatch, refusal: Refused) -> None:
    """End a dispatch whose rule was good when it was accepted and is not any more (its field is gone)."""
    logger.error("Dispatch %s cannot be planned: %s", dispatch.pk, refusal)
    Dispatch.FLOW.advance(
        Dispatch.objects.filter(pk=dispatch.pk),
        to=Dispatch.State.CANCELLING,
        pause_reason=str(refusal)[:200],
    )


def _judged(
    gates: Gates, *, low: int, high: int, earlier: bool, zones: list[str], masks: bool = False
) -> tuple[str, dict[str, Any]]:
    clocks: tuple[Clock, ...] = ()
    if gates.has_zones and gates.send_at is not None:
        # What is planned late leaves now, if now is not night.
        due = max(gates.send_at, timezone.now())
        clocks = clocks_of(gates.limits, due=due, zones=zones, send_at=gates.send_at)
    return judged_sql(gates, low=low, high=high, earlier=earlier, clocks=clocks, masks=masks)


def _write(cursor: Any, dispatch: Dispatch, gates: Gates, found: Range, *, base: int) -> None:
    earlier = dispatch.plan_until is not None
    judged, params = _judged(gates, low=found.low, high=found.last, earlier=earlier, zones=found.zones)
    events = _EVENTS if gates.has_zones else ""
    gathering = gathering_of(cursor, dispatch, low=found.low, high=found.last) or NO_GATHERING
    cursor.execute(
        _INSERT.format(
            judged=judged,
            events=events,
            sorting=gathering.sorting,
            source=gathering.source,
            state=gathering.state,
            waiting=gathering.waiting,
        ),
        {**params, **gathering.params, "base": base, "send_at": dispatch.send_at},
    )
    skipped: list[tuple[str, int, int, int]] = []
    for channel, reason, send_at, count, first, last, step in cursor.fetchall():
        if reason:
            skipped.append((reason, count, first, last))
            continue
        cursor.execute(
            _BATCHES,
            {
                "dispatch": dispatch.pk,
                "channel": channel,
                "priority": dispatch.priority,
                "rows": BATCH_ROWS,
                "first": first,
                "last": last,
                # What would expire before its time comes is settled when it expires.
                "send_at": min(send_at, dispatch.expires_at or send_at),
                "waits_for": QUIET if send_at > dispatch.send_at else "",
                "step": step,
                "watch": step + 1 < len(dispatch.chain),
            },
        )
    if skipped:
        _note_skipped(dispatch, skipped)


def _note_skipped(dispatch: Dispatch, skipped: list[tuple[str, int, int, int]]) -> None:
    """Count the skipped and gathered rows of a range in a batch that is done from the start."""
    reasons: dict[str, int] = {}
    for reason, count, _first, _last in skipped:
        reasons[reason] = reasons.get(reason, 0) + count
    low, high = min(row[2] for row in skipped), max(row[3] for row in skipped)
    gathered = reasons.get(Delivery.Reason.GATHERED, 0)
    Batch.objects.create(
        dispatch=dispatch,
        channel=dispatch.chain[0]["channel"],
        priority=dispatch.priority,
        lo=low,
        hi=high,
        cursor=high,
        open_to=high,
        not_before=dispatch.send_at,
        state=Batch.State.DONE,
        skipped=sum(reasons.values()) - gathered,
        gathered=gathered,
        reasons=reasons,
    )


def forecast_counts(gates: Gates) -> list[tuple[str, str, datetime, int, int]]:
    """Return (channel, reason, send time, mask of the steps that pass, people) as planning would decide now;
    the reason is "" for those sent to."""
    with connection.cursor() as cursor:
        high, zones = last_id(cursor, gates), all_zones(cursor, gates)
        know_tables(cursor, gates, high)
        judged, params = _judged(gates, low=-1, high=high, earlier=False, zones=zones, masks=True)
        cursor.execute(
            f"{judged} SELECT channel, reason, send_at, mask, count(*) FROM judged "
            "GROUP BY channel, reason, send_at, mask",
            params,
        )
        return [tuple(row) for row in cursor.fetchall()]
