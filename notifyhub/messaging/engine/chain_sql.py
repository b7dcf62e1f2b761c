"""The statements of the fallback chain."""

from notifyhub.messaging.engine.chain_rules import DUE, met_sql
from notifyhub.messaging.engine.planner import BATCH_ROWS
from notifyhub.messaging.models import Delivery

SKIPPED = Delivery.State.SKIPPED.value

# Due looks, a group of batches per dispatch and step, in turn: a large dispatch does not hide small ones.
DUE_LOOKS = """
SELECT w.dispatch_id, w.step, array_agg(w.id ORDER BY w.id), max(w.hi - w.lo + 1)
FROM (
    SELECT b.*, row_number() OVER (PARTITION BY b.dispatch_id, b.step ORDER BY b.check_at, b.id) AS place
    FROM (
        SELECT b.id, b.dispatch_id, b.step, b.lo, b.hi, b.check_at
        FROM messaging_batch b JOIN messaging_dispatch j ON j.id = b.dispatch_id
        WHERE b.check_at <= statement_timestamp() AND b.state = 2 AND b.ids IS NULL AND j.state <> 'paused'
        ORDER BY b.check_at LIMIT 20000
    ) b
) w
WHERE w.place <= %(group)s
GROUP BY w.dispatch_id, w.step ORDER BY min(w.check_at), w.dispatch_id LIMIT %(groups)s
"""

# Rows belong to the batch they were planned in; a side batch that is done makes that one look.
WAKE = """
WITH sides AS (
    UPDATE messaging_batch t SET check_at = NULL, checks = t.checks + 1
    FROM (
        SELECT b.id FROM messaging_batch b JOIN messaging_dispatch j ON j.id = b.dispatch_id
        WHERE b.check_at <= statement_timestamp() AND b.state = 2 AND b.ids IS NOT NULL
          AND j.state <> 'paused'
        ORDER BY b.check_at LIMIT %(sides)s FOR UPDATE OF b SKIP LOCKED
    ) w WHERE t.id = w.id
    RETURNING t.dispatch_id, t.lo
)
UPDATE messaging_batch b SET check_at = least(b.check_at, statement_timestamp())
FROM (
    SELECT DISTINCT m.id FROM sides s CROSS JOIN LATERAL (
        SELECT o.id, o.hi FROM messaging_batch o
        WHERE o.dispatch_id = s.dispatch_id AND o.ids IS NULL AND o.lo <= s.lo ORDER BY o.lo DESC LIMIT 1
    ) m WHERE m.hi >= s.lo
) w WHERE b.id = w.id
"""

# A failure that is reported late: its batch looks again, unless all is over.
WAKE_FAILED = """
UPDATE messaging_batch b SET check_at = least(b.check_at, statement_timestamp())
FROM (
    SELECT DISTINCT m.id
    FROM unnest(%(dispatches)s::bigint[], %(ids)s::bigint[]) AS f(dispatch_id, id)
    JOIN messaging_dispatch j ON j.id = f.dispatch_id AND j.state IN ('running', 'paused')
    CROSS JOIN LATERAL (
        SELECT o.id, o.hi, o.watch, o.state FROM messaging_batch o
        WHERE o.dispatch_id = f.dispatch_id AND o.ids IS NULL AND o.lo <= f.id ORDER BY o.lo DESC LIMIT 1
    ) m WHERE m.hi >= f.id AND m.watch AND m.state = 2
) w WHERE b.id = w.id
"""

# What is cancelled or has expired plans nothing more, so nothing is waited for.
CLOSE = """
UPDATE messaging_batch b SET check_at = NULL FROM messaging_dispatch j
WHERE j.id = b.dispatch_id AND b.check_at IS NOT NULL
  AND (j.state = 'cancelling'
       OR (j.state IN ('running', 'paused') AND j.expires_at <= statement_timestamp()))
"""

POSTPONE = """
UPDATE messaging_batch SET check_at = statement_timestamp() + interval '5 minutes'
WHERE id = ANY(%(batches)s) AND check_at <= statement_timestamp()
"""

# The rows are picked by an inner LIMIT and each person is looked up by the unique index: left to guess, the
# database may join whole partitions. The order of the steps names that index, with sorting switched off:
# where the statistics say that there are no rows, the primary key looks as good, and its way through the
# whole dispatch for each person took a minute for ten thousand.
LOOKED = f"""
picked AS MATERIALIZED (
    SELECT b.id, b.lo, b.hi FROM messaging_batch b
    WHERE b.id = ANY(%(batches)s) AND b.state = 2 AND b.check_at <= statement_timestamp()
    ORDER BY b.id FOR UPDATE
), looked AS MATERIALIZED (
    SELECT p.id AS batch_id, d.customer_id, d.dedup_key, d.state, w.due_at
    FROM picked p
    CROSS JOIN LATERAL (
        SELECT r.* FROM messaging_delivery r
        WHERE r.dispatch_id = %(dispatch)s AND r.id >= p.lo AND r.id <= p.hi
        ORDER BY r.id LIMIT %(most)s
    ) d
    CROSS JOIN LATERAL (SELECT {DUE} AS due_at) w
    CROSS JOIN LATERAL (
        SELECT bool_or(e.step > d.step) AS followed, bool_or({met_sql("%(chain)s::jsonb")}) AS met
        FROM (
            SELECT e.* FROM messaging_delivery e
            WHERE e.dispatch_id = %(dispatch)s AND e.dedup_key = d.dedup_key
            ORDER BY e.step OFFSET 0
        ) e
    ) o
    WHERE w.due_at IS NOT NULL AND NOT o.followed AND NOT o.met
)"""

# Whom the next step is for. Somebody merged meanwhile is reached as the one they were merged into.
PEOPLE = """
    SELECT coalesce(c.merged_into_id, c.id) AS customer_id, l.dedup_key,
           coalesce(nullif(i.subject_ref, ''), %(subject)s::text) AS subject_ref,
           w.id AS contact_wanted, w.kind AS kind_wanted
    FROM looked l
    CROSS JOIN LATERAL (
        SELECT o.id, o.merged_into_id FROM customers_customer o WHERE o.id = l.customer_id LIMIT 1
    ) c
    LEFT JOIN messaging_dispatchitem i
        ON %(items)s AND i.dispatch_id = %(dispatch)s AND i.item = l.dedup_key
    LEFT JOIN customers_contactpoint w ON w.id = i.contact_id
    WHERE l.due_at <= statement_timestamp()"""

# Who was skipped and finds no other channel keeps that one reason; who was tried gets a row that says why
# nobody tried again. A batch that has more to wait for looks again then, if that is before the end.
WRITTEN = f"""
wanted AS (
    -- Not a join: without a right guess of its size the database would judge everybody once per person.
    SELECT j.* FROM judged j
    WHERE j.reason = '' OR j.dedup_key NOT IN (SELECT l.dedup_key FROM looked l WHERE l.state = {SKIPPED})
), numbered AS (
    SELECT w.*, %(base)s + row_number() OVER (
        ORDER BY (w.reason <> ''), w.channel, w.dedup_key) - 1 AS id
    FROM wanted w
), written AS (
    INSERT INTO messaging_delivery (dispatch_id, id, customer_id, contact_id, dedup_key, step, channel,
                                    send_at, state, reason, settled_at)
    SELECT %(dispatch)s, id, customer_id, contact_id, dedup_key, place, channel, statement_timestamp(),
           CASE WHEN reason = '' THEN 0 ELSE {SKIPPED} END, reason,
           CASE WHEN reason = '' THEN NULL ELSE statement_timestamp() END
    FROM numbered
    RETURNING id, step, channel, reason
), grouped AS (
    SELECT step, channel, min(reason) = '' AS sendable, sum(n)::bigint AS n, min(lo) AS lo, max(hi) AS hi,
           jsonb_object_agg(reason, n) AS reasons
    FROM (
        SELECT step, channel, reason, count(*) AS n, min(id) AS lo, max(id) AS hi
        FROM written GROUP BY 1, 2, 3
    ) w GROUP BY step, channel, reason = ''
), made AS (
    INSERT INTO messaging_batch (dispatch_id, channel, priority, lo, hi, not_before, cursor, open_to, state,
        skipped, reasons, step, watch, chained)
    SELECT %(dispatch)s, g.channel, %(priority)s, s.lo, least(s.lo + s.size - 1, g.hi),
           statement_timestamp(),
           CASE WHEN g.sendable THEN s.lo - 1 ELSE g.hi END, CASE WHEN g.sendable THEN s.lo - 1 ELSE g.hi END,
           CASE WHEN g.sendable THEN 0 ELSE 2 END,
           CASE WHEN g.sendable THEN 0 ELSE g.n END, CASE WHEN g.sendable THEN '{{}}' ELSE g.reasons END,
           g.step, g.sendable AND g.step < %(last)s, TRUE
    FROM grouped g
    CROSS JOIN LATERAL (SELECT CASE WHEN g.sendable THEN {BATCH_ROWS} ELSE g.n END AS size) z
    CROSS JOIN LATERAL (SELECT lo, z.size FROM generate_series(g.lo, g.hi, z.size) AS lo) s
), moved AS (
    UPDATE messaging_batch b
    SET checks = b.checks + 1,
        check_at = CASE WHEN n.later < coalesce(%(expires)s, 'infinity'::timestamptz) THEN n.later END
    FROM (
        SELECT p.id, min(l.due_at) FILTER (WHERE l.due_at > statement_timestamp()) AS later
        FROM picked p LEFT JOIN looked l ON l.batch_id = p.id GROUP BY p.id
    ) n WHERE b.id = n.id
)
SELECT (SELECT count(*) FROM picked), count(*), count(*) FILTER (WHERE reason = '') FROM written
"""
