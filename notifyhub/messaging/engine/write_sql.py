"""The statement that writes a window: opens it, settles it, or both."""

from functools import lru_cache

from notifyhub.messaging.engine.statements import LAZY_COMMIT
from notifyhub.messaging.models import Delivery, DeliveryEvent

State = Delivery.State
Kind = DeliveryEvent.Kind

COUNTERS = ("sent", "delivered", "failed", "skipped", "unknown", "expired", "cancelled", "deferred")

# Reasons are added to what stands there: a receipt may have moved one since the batch was leased.
_FENCE = f"""
WITH b AS (
    SELECT * FROM jsonb_to_recordset(%(batches)s::jsonb) AS b(
        id bigint, epoch int, was bigint, cursor bigint, open_to bigint, account int,
        reasons jsonb, side jsonb,
        {", ".join(f"{name} int" for name in COUNTERS)})
), fence AS (
    UPDATE messaging_batch t
    SET cursor = b.cursor, open_to = b.open_to,
        reasons = CASE WHEN b.reasons = '{{}}' THEN t.reasons ELSE (
            SELECT jsonb_object_agg(key, n) FROM (
                SELECT key, sum(value::bigint) AS n FROM (
                    SELECT * FROM jsonb_each_text(t.reasons)
                    UNION ALL SELECT * FROM jsonb_each_text(b.reasons)
                ) both_of GROUP BY key
            ) added) END,
        account_id = coalesce(b.account, t.account_id),
        {", ".join(f"{name} = t.{name} + b.{name}" for name in COUNTERS)},
        tries = CASE WHEN b.cursor > t.cursor THEN 0 ELSE t.tries END,
        state = CASE WHEN b.cursor >= t.hi THEN 2 ELSE t.state END,
        owner = CASE WHEN b.cursor >= t.hi THEN '' ELSE t.owner END,
        lease_until = CASE WHEN b.cursor >= t.hi THEN NULL
                           ELSE clock_timestamp() + make_interval(secs => %(seconds)s) END,
        check_at = CASE WHEN b.cursor >= t.hi AND t.watch THEN clock_timestamp() ELSE t.check_at END
    FROM b WHERE t.id = b.id AND t.epoch = b.epoch AND t.cursor = b.was AND t.state = 1
    RETURNING t.id, t.dispatch_id, t.channel, t.priority, t.step, t.watch, t.chained, b.side
)"""
_VERDICTS = f""", v AS (
    SELECT v.batch_id, v.state, v.reason, v.tries, nullif(v.account_id, 0) AS account_id, v.kind, v.code,
           v.place, fence.dispatch_id
    FROM unnest(%(batch)s::bigint[], %(state)s::smallint[], %(reason)s::text[], %(tries)s::smallint[],
                %(account)s::bigint[], %(kind)s::text[], %(code)s::text[]) WITH ORDINALITY
        AS v(batch_id, state, reason, tries, account_id, kind, code, place)
    JOIN fence ON fence.id = v.batch_id
), r AS (
    SELECT r.id, r.ref, r.detail, v.*
    FROM unnest(%(verdict)s::bigint[], %(row)s::bigint[], %(ref)s::text[], %(detail)s::text[])
        AS r(verdict, id, ref, detail)
    JOIN v ON v.place = r.verdict
), rows AS (
    UPDATE messaging_delivery d
    SET state = r.state, tries = r.tries, reason = r.reason,
        account_id = coalesce(r.account_id, d.account_id),
        settled_at = CASE WHEN r.state > 0 THEN coalesce(d.settled_at, clock_timestamp()) END,
        delivered_at = CASE WHEN r.state = {State.DELIVERED.value}
                            THEN coalesce(d.delivered_at, clock_timestamp()) ELSE d.delivered_at END
    FROM r WHERE d.dispatch_id = r.dispatch_id AND d.id = r.id AND d.state = 0
    RETURNING d.dispatch_id, d.id
), events AS (
    INSERT INTO messaging_deliveryevent
        (at, dispatch_id, delivery_id, account_id, kind, provider_ref, code, detail, worker)
    SELECT clock_timestamp(), dispatch_id, id, account_id, kind, ref, code, detail, %(worker)s::text FROM r
    UNION ALL
    SELECT clock_timestamp(), dispatch_id, id, account_id, '{Kind.DELIVERED.value}', ref, '', '',
           %(worker)s::text
    FROM r WHERE state = {State.DELIVERED.value}
)"""
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
# The ids of the rows that a receipt had moved.
_EARLY = """CASE WHEN (SELECT count(*) FROM rows) < (SELECT count(*) FROM r) THEN ARRAY(
    SELECT r.id FROM r WHERE r.batch_id = fence.id AND NOT EXISTS (
        SELECT FROM rows WHERE rows.dispatch_id = r.dispatch_id AND rows.id = r.id)) END"""
_WRITTEN = f"""
SELECT fence.id, quick.commit, {{early}}
FROM fence, (SELECT CASE WHEN %(lazy)s::boolean THEN {LAZY_COMMIT} END AS commit) AS quick
"""


@lru_cache(maxsize=8)
def write_sql(*, verdicts: bool, copies: bool, sides: bool) -> str:
    """Return the statement for a window that has these. Each table that a statement could write to is made
    ready by the database every time, for no rows too."""
    parts = [_FENCE]
    parts += [_VERDICTS] * verdicts + [_COPIES] * copies + [_SIDES] * sides
    return "".join(parts) + _WRITTEN.format(early=_EARLY if verdicts else "NULL::bigint[]")
