"""The statement that writes a window: opens it, settles it, or both."""

from functools import lru_cache

from notifyhub.messaging.engine.statements import LAZY_COMMIT
from notifyhub.messaging.models import Delivery, DeliveryEvent

State = Delivery.State
Kind = DeliveryEvent.Kind

COUNTERS = ("sent", "delivered", "failed", "skipped", "unknown", "expired", "cancelled", "deferred")

_MARKS = {
    "id": "bigint",
    "epoch": "int",
    "was": "bigint",
    "cursor": "bigint",
    "open_to": "bigint",
    "account": "int",
    "reasons": "jsonb",
    "side": "jsonb",
    **dict.fromkeys(COUNTERS, "int"),
}
# One batch travels as plain parameters: to make a table of JSON takes longer than to write it.
_BATCH = (
    "(SELECT " + ", ".join(f"%(the_{name})s::{kind} AS {name}" for name, kind in _MARKS.items()) + ") AS b"
)
_BATCHES = (
    "jsonb_to_recordset(%(batches)s::jsonb) AS b("
    + ", ".join(f"{name} {kind}" for name, kind in _MARKS.items())
    + ")"
)
# Reasons are added to what stands there: a receipt may have moved one since the batch was leased.
_REASONS = """
        reasons = CASE WHEN b.reasons = '{}' THEN t.reasons ELSE (
            SELECT jsonb_object_agg(key, n) FROM (
                SELECT key, sum(value::bigint) AS n FROM (
                    SELECT * FROM jsonb_each_text(t.reasons)
                    UNION ALL SELECT * FROM jsonb_each_text(b.reasons)
                ) both_of GROUP BY key
            ) added) END,"""
_FENCE = f"""
WITH fence AS (
    UPDATE messaging_batch t
    SET cursor = b.cursor, open_to = b.open_to,{{reasons}}
        account_id = coalesce(nullif(b.account, 0), t.account_id),
        {", ".join(f"{name} = t.{name} + b.{name}" for name in COUNTERS)},
        tries = CASE WHEN b.cursor > t.cursor THEN 0 ELSE t.tries END,
        state = CASE WHEN b.cursor >= t.hi THEN 2 ELSE t.state END,
        owner = CASE WHEN b.cursor >= t.hi THEN '' ELSE t.owner END,
        lease_until = CASE WHEN b.cursor >= t.hi THEN NULL
                           ELSE clock_timestamp() + make_interval(secs => %(seconds)s) END,
        check_at = CASE WHEN b.cursor >= t.hi AND t.watch THEN clock_timestamp() ELSE t.check_at END
    FROM {{batches}} WHERE t.id = b.id AND t.epoch = b.epoch AND t.cursor = b.was AND t.state = 1
    RETURNING t.id, t.dispatch_id, t.channel, t.priority, t.step, t.watch, t.chained, b.side
)"""
# What becomes of the rows `first` to `last` of the lists. Nearly always it is the same for all of a window.
_ALIKE = """, v AS (
    SELECT fence.id AS batch_id, fence.dispatch_id, %(state)s::smallint AS state, %(reason)s::text AS reason,
           %(tries)s::smallint AS tries, nullif(%(account)s::bigint, 0) AS account_id, %(kind)s::text AS kind,
           %(code)s::text AS code, %(row)s::bigint[] AS ids, %(ref)s::text[] AS refs,
           %(detail)s::text[] AS details
    FROM fence WHERE fence.id = %(batch)s
)"""
_VARIOUS = """, v AS (
    SELECT fence.id AS batch_id, fence.dispatch_id, v.state, v.reason, v.tries,
           nullif(v.account_id, 0) AS account_id, v.kind, v.code, (%(row)s::bigint[])[v.first:v.last] AS ids,
           (%(ref)s::text[])[v.first:v.last] AS refs, (%(detail)s::text[])[v.first:v.last] AS details
    FROM unnest(%(batch)s::bigint[], %(state)s::smallint[], %(reason)s::text[], %(tries)s::smallint[],
                %(account)s::bigint[], %(kind)s::text[], %(code)s::text[], %(first)s::int[], %(last)s::int[])
        AS v(batch_id, state, reason, tries, account_id, kind, code, first, last)
    JOIN fence ON fence.id = v.batch_id
)"""
# The rows of a verdict lie beside each other in the ledger: one walk along its key finds them all.
_ROWS = f""", rows AS (
    UPDATE messaging_delivery d
    SET state = v.state, tries = v.tries, reason = v.reason,
        account_id = coalesce(v.account_id, d.account_id),
        settled_at = CASE WHEN v.state > 0 THEN coalesce(d.settled_at, clock_timestamp()) END,
        delivered_at = CASE WHEN v.state = {State.DELIVERED.value}
                            THEN coalesce(d.delivered_at, clock_timestamp()) ELSE d.delivered_at END
    FROM v WHERE d.dispatch_id = {{dispatch}} AND d.id = ANY(v.ids) AND d.state = 0
    RETURNING d.dispatch_id, d.id
), events AS (
    INSERT INTO messaging_deliveryevent
        (at, dispatch_id, delivery_id, account_id, kind, provider_ref, code, detail, worker)
    SELECT clock_timestamp(), v.dispatch_id, r.id, v.account_id, v.kind, r.ref, v.code, r.detail,
           %(worker)s::text
    FROM v CROSS JOIN LATERAL unnest(v.ids, v.refs, v.details) AS r(id, ref, detail){{delivered}}
)"""
_DELIVERED = f"""
    UNION ALL
    SELECT clock_timestamp(), v.dispatch_id, r.id, v.account_id, '{Kind.DELIVERED.value}', r.ref, '', '',
           %(worker)s::text
    FROM v CROSS JOIN LATERAL unnest(v.ids, v.refs) AS r(id, ref) WHERE v.state = {State.DELIVERED.value}"""
_COPIES = """, copies AS (
    INSERT INTO messaging_messagecopy (at, dispatch_id, delivery_id, payload)
    SELECT clock_timestamp(), fence.dispatch_id, c.id, c.copy
    FROM unnest(%(copy_batch)s::bigint[], %(copy_row)s::bigint[], %(copy)s::bytea[]) AS c(batch_id, id, copy)
    JOIN fence ON fence.id = c.batch_id WHERE c.copy IS NOT NULL
)"""
_SIDES = """, sides AS (
    INSERT INTO messaging_batch (dispatch_id, channel, priority, lo, hi, ids, not_before, cursor, open_to,
        step, watch, chained, waits_for)
    SELECT fence.dispatch_id, fence.channel, fence.priority, s.ids[1], s.ids[array_upper(s.ids, 1)], s.ids,
           clock_timestamp() + make_interval(secs => s.delay), s.ids[1] - 1, s.ids[1] - 1,
           fence.step, fence.watch, fence.chained, s.waits_for
    FROM fence, jsonb_to_recordset(fence.side) AS s(ids bigint[], delay double precision, waits_for text)
)"""
# Which rows were written, if a receipt had moved any of them.
_EARLY = """CASE WHEN (SELECT count(*) FROM rows) < (SELECT sum(cardinality(v.ids)) FROM v) THEN ARRAY(
    SELECT rows.id FROM rows WHERE rows.dispatch_id = fence.dispatch_id) END"""
_WRITTEN = f"""
SELECT fence.id, quick.commit, {{early}}
FROM fence, (SELECT CASE WHEN %(lazy)s::boolean THEN {LAZY_COMMIT} END AS commit) AS quick
"""


@lru_cache(maxsize=64)
def write_sql(*, one: bool, reasons: bool, verdicts: int, delivered: bool, copies: bool, sides: bool) -> str:
    """Return the statement for a window that has these: `one` batch, so many different verdicts, any of
    them that it was delivered. Whatever a statement could do is made ready by the database every time, for
    no rows too."""
    parts = [_FENCE.format(batches=_BATCH if one else _BATCHES, reasons=_REASONS if reasons else "")]
    if verdicts:
        # Of one dispatch the database knows before it starts which partition it is in.
        dispatch = "%(dispatch)s::bigint" if one else "v.dispatch_id"
        parts += [
            _ALIKE if verdicts == 1 else _VARIOUS,
            _ROWS.format(dispatch=dispatch, delivered=_DELIVERED if delivered else ""),
        ]
    parts += [_COPIES] * copies + [_SIDES] * sides
    return "".join(parts) + _WRITTEN.format(early=_EARLY if verdicts else "NULL::bigint[]")
