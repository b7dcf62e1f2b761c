"""Making the rows and batches of a dispatch, a range of recipients at a time."""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Func, Value
from django.utils import timezone

from notifyhub.core.errors import Refused
from notifyhub.messaging.engine import bells
from notifyhub.messaging.engine.gates import gates_of
from notifyhub.messaging.engine.plan_limits import Clock, clocks_of
from notifyhub.messaging.engine.plan_sql import Gates, judged_sql
from notifyhub.messaging.engine.quiet import QUIET
from notifyhub.messaging.models import Batch, DeliveryEvent, Dispatch

logger = logging.getLogger(__name__)

# The id block of the sequence is as large (see the first migration), so one range fits into one block.
CHUNK = 50_000
BATCH_ROWS = 500
# A dispatch for later is planned this long before it is due, so that the plan is fresh and the start on time.
PLAN_AHEAD = timedelta(minutes=2)

_INSERT = """
{judged},
numbered AS (
    -- Sendable rows come first and stand densely by channel and send time: a batch is simply lo..hi.
    SELECT j.*, %(base)s + row_number() OVER (
        ORDER BY (j.reason <> ''), j.channel, j.send_at, j.dedup_key) - 1 AS id
    FROM judged j
),
written AS (
    INSERT INTO messaging_delivery (dispatch_id, id, customer_id, contact_id, dedup_key, step, channel,
                                    send_at, state, reason, settled_at)
    SELECT %(dispatch)s, id, customer_id, contact_id, dedup_key, 0, channel,
           CASE WHEN reason = '' THEN send_at ELSE %(send_at)s END,
           CASE WHEN reason = '' THEN 0 ELSE %(skipped)s END, reason,
           CASE WHEN reason = '' THEN NULL ELSE statement_timestamp() END
    FROM numbered
    RETURNING channel, reason, send_at, id
){events}
SELECT channel, reason, send_at, count(*), min(id), max(id) FROM written GROUP BY channel, reason, send_at
"""

# The numbers behind a limit, for the page of the message; other reasons have none at this moment.
_EVENTS = f""", told AS (
    INSERT INTO messaging_deliveryevent (at, dispatch_id, delivery_id, kind, code, detail)
    SELECT statement_timestamp(), %(dispatch)s, id, '{DeliveryEvent.Kind.SKIPPED.value}', reason, detail
    FROM numbered WHERE reason <> '' AND detail <> ''
)"""

_BATCHES = """
INSERT INTO messaging_batch (dispatch_id, channel, priority, lo, hi, not_before, cursor, open_to, state,
    epoch, tries, owner, sent, failed, skipped, unknown, delivered, expired, cancelled, deferred, reasons,
    waits_for)
SELECT %(dispatch)s, %(channel)s, %(priority)s, lo, least(lo + %(rows)s - 1, %(last)s), %(send_at)s,
       lo - 1, lo - 1, 0, 0, 0, '', 0, 0, 0, 0, 0, 0, 0, 0, '{}', %(waits_for)s
FROM generate_series(%(first)s::bigint, %(last)s::bigint, %(rows)s) AS lo
"""

# One row per zone of the range, or one for all of it.
_BOUND = """
SELECT zone, max(id), count(*) FROM (
    SELECT {column} AS id, {zone} AS zone FROM {table}
    WHERE {column} > %(low)s AND {column} <= %(until)s AND ({where})
    ORDER BY {column} LIMIT %(chunk)s
) AS chunk GROUP BY zone
"""


def open_scheduled() -> int:
    """Let those scheduled dispatches be planned that are due soon; return how many there were."""
    soon = timezone.now() + PLAN_AHEAD
    due = Dispatch.objects.filter(state=Dispatch.State.SCHEDULED, send_at__lte=soon)
    return due.update(state=Dispatch.State.PLANNING)


def plan_dispatch(*, dispatch_id: int, chunks: int | None = None) -> bool:
    """Plan the dispatch range by range, each in its own transaction; return whether nothing is left to plan.

    Running it again, or twice at once, changes nothing: the cursor moves by a guarded UPDATE in the
    transaction that writes the rows. Sending starts when the last range is written.
    """
    done = 0
    while chunks is None or done < chunks:
        if not plan_chunk(dispatch_id=dispatch_id):
            return True
        done += 1
    return not Dispatch.objects.filter(pk=dispatch_id, state=Dispatch.State.PLANNING).exists()


@transaction.atomic
def plan_chunk(*, dispatch_id: int) -> bool:
    """Plan the next range; return False if there was none for us to plan."""
    dispatch = Dispatch.objects.select_related("topic").filter(pk=dispatch_id).first()
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
            until = _last_id(cursor, gates)
        high, zones = _next_bound(cursor, gates, low=low, until=until)
        mine = Dispatch.objects.filter(
            pk=dispatch_id, state=Dispatch.State.PLANNING, plan_cursor=low, plan_until=dispatch.plan_until
        ).update(plan_cursor=high, plan_until=until)
        if not mine:
            return False
        if high > low:
            _write(cursor, dispatch, gates, low=low, high=high, zones=zones)
    if high >= until:
        Dispatch.FLOW.advance(
            Dispatch.objects.filter(pk=dispatch_id),
            to=Dispatch.State.RUNNING,
            started_at=timezone.now(),
        )
        bells.ring_for(dispatch.priority)
    return True


def _give_up(dispatch: Dispatch, refusal: Refused) -> None:
    """End a dispatch whose rule was good when it was accepted and is not any more (its field is gone)."""
    logger.error("Dispatch %s cannot be planned: %s", dispatch.pk, refusal)
    Dispatch.FLOW.advance(
        Dispatch.objects.filter(pk=dispatch.pk),
        to=Dispatch.State.CANCELLING,
        pause_reason=str(refusal)[:200],
    )


def _source(gates: Gates) -> dict[str, str]:
    zone = "c.time_zone" if gates.has_zones else "''"
    if gates.audience is not None:
        return {"column": "c.id", "zone": zone, "table": "customers_customer c", "where": gates.audience}
    table = "messaging_dispatchitem i"
    if gates.has_zones:
        table += " JOIN customers_customer c ON c.id = i.customer_id"
    return {"column": "i.item", "zone": zone, "table": table, "where": "i.dispatch_id = %(dispatch)s"}


def _last_id(cursor: Any, gates: Gates) -> int:
    """Return the last id there is now, so that customers who arrive later do not stretch the plan."""
    if gates.audience is not None:
        cursor.execute("SELECT coalesce(max(id), 0) FROM customers_customer")
    else:
        cursor.execute(
            "SELECT coalesce(max(item), 0) FROM messaging_dispatchitem WHERE dispatch_id = %s",
            [gates.dispatch_id],
        )
    return int(cursor.fetchone()[0])


def _next_bound(cursor: Any, gates: Gates, *, low: int, until: int) -> tuple[int, list[str]]:
    """Return up to which id the next range goes, as many recipients as one id block holds, and its zones."""
    values = {"low": low, "until": until, "chunk": CHUNK, "dispatch": gates.dispatch_id}
    cursor.execute(_BOUND.format(**_source(gates)), values)
    found = cursor.fetchall()
    full = sum(count for _zone, _last, count in found) == CHUNK
    return max(last for _zone, last, _count in found) if full else until, [row[0] for row in found]


def _judged(
    gates: Gates, *, low: int, high: int, earlier: bool, zones: list[str]
) -> tuple[str, dict[str, Any]]:
    clocks: tuple[Clock, ...] = ()
    if gates.has_zones and gates.send_at is not None:
        # What is planned late leaves now, if now is not night.
        due = max(gates.send_at, timezone.now())
        clocks = clocks_of(gates.limits, due=due, zones=zones, send_at=gates.send_at)
    return judged_sql(gates, low=low, high=high, earlier=earlier, clocks=clocks)


def _write(cursor: Any, dispatch: Dispatch, gates: Gates, *, low: int, high: int, zones: list[str]) -> None:
    cursor.execute("SELECT nextval('messaging_delivery_block')")
    base = cursor.fetchone()[0]
    Dispatch.objects.filter(pk=dispatch.pk).update(
        blocks=Func(F("blocks"), Value(base), function="array_append")
    )
    earlier = dispatch.plan_until is not None
    judged, params = _judged(gates, low=low, high=high, earlier=earlier, zones=zones)
    events = _EVENTS if gates.has_zones else ""
    cursor.execute(
        _INSERT.format(judged=judged, events=events), {**params, "base": base, "send_at": dispatch.send_at}
    )
    skipped: list[tuple[str, int, int, int]] = []
    for channel, reason, send_at, count, first, last in cursor.fetchall():
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
            },
        )
    if skipped:
        _note_skipped(dispatch, skipped)


def _note_skipped(dispatch: Dispatch, skipped: list[tuple[str, int, int, int]]) -> None:
    """Count the skipped rows of a range in a batch that is done from the start."""
    reasons: dict[str, int] = {}
    for reason, count, _first, _last in skipped:
        reasons[reason] = reasons.get(reason, 0) + count
    low, high = min(row[2] for row in skipped), max(row[3] for row in skipped)
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
        skipped=sum(reasons.values()),
        reasons=reasons,
    )


def forecast_counts(gates: Gates) -> list[tuple[str, str, datetime, int]]:
    """Return (channel, reason, send time, people) as planning would decide now; the reason is "" for those
    sent to."""
    with connection.cursor() as cursor:
        high = _last_id(cursor, gates)
        zones: list[str] = []
        if gates.has_zones:
            source = _source(gates)
            everybody = "SELECT DISTINCT {zone} FROM {table} WHERE {where}"
            cursor.execute(everybody.format(**source), {"dispatch": gates.dispatch_id})
            zones = [row[0] for row in cursor.fetchall()]
        judged, params = _judged(gates, low=-1, high=high, earlier=False, zones=zones)
        cursor.execute(
            f"{judged} SELECT channel, reason, send_at, count(*) FROM judged "
            "GROUP BY channel, reason, send_at",
            params,
        )
        return [tuple(row) for row in cursor.fetchall()]
