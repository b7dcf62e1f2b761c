"""Statements that merge reports into rows, and move the counters of the batches they were planned in."""

# The batches before the rows, in the order in which a worker's settling statement takes its locks.
LOCK_BATCHES = """
SELECT m.id FROM messaging_batch m
WHERE m.ids IS NULL AND EXISTS (
    SELECT 1 FROM unnest(%(dispatches)s::bigint[], %(ids)s::bigint[]) AS w(dispatch_id, id)
    WHERE w.dispatch_id = m.dispatch_id AND w.id BETWEEN m.lo AND m.hi)
  AND m.dispatch_id = ANY(%(dispatches)s::bigint[])
ORDER BY m.id FOR NO KEY UPDATE
"""

LOCK = """
SELECT d.dispatch_id, d.id, d.state, d.reason FROM messaging_delivery d
JOIN unnest(%(dispatches)s::bigint[], %(ids)s::bigint[]) AS w(dispatch_id, id)
  ON d.dispatch_id = w.dispatch_id AND d.id = w.id
ORDER BY d.dispatch_id, d.id FOR UPDATE OF d
"""

MOVE = """
UPDATE messaging_delivery d
SET state = w.state, settled_at = coalesce(d.settled_at, w.at),
    reason = w.reason,
    delivered_at = CASE WHEN w.state = 40 THEN coalesce(d.delivered_at, w.at) ELSE d.delivered_at END
FROM unnest(%(dispatches)s::bigint[], %(ids)s::bigint[], %(states)s::smallint[], %(ats)s::timestamptz[],
            %(reasons)s::text[]) AS w(dispatch_id, id, state, at, reason)
WHERE d.dispatch_id = w.dispatch_id AND d.id = w.id
"""

READ = """
UPDATE messaging_delivery d SET read_at = w.at
FROM (
    SELECT dispatch_id, id, min(at) AS at
    FROM unnest(%(dispatches)s::bigint[], %(ids)s::bigint[], %(ats)s::timestamptz[])
        AS u(dispatch_id, id, at) GROUP BY dispatch_id, id
) w
WHERE d.dispatch_id = w.dispatch_id AND d.id = w.id AND (d.read_at IS NULL OR d.read_at > w.at)
"""

# The batch that a row was planned in counts it, also when a side batch sent it.
COUNT = """
UPDATE messaging_batch b
SET unknown = b.unknown + w.unknown, sent = b.sent + w.sent, failed = b.failed + w.failed,
    delivered = b.delivered + w.delivered
FROM (
    SELECT m.id AS batch_id, sum(c.unknown) AS unknown, sum(c.sent) AS sent, sum(c.failed) AS failed,
           sum(c.delivered) AS delivered
    FROM unnest(%(dispatches)s::bigint[], %(ids)s::bigint[], %(unknown)s::int[], %(sent)s::int[],
                %(failed)s::int[], %(delivered)s::int[])
        AS c(dispatch_id, id, unknown, sent, failed, delivered)
    JOIN messaging_batch m ON m.dispatch_id = c.dispatch_id AND m.ids IS NULL AND c.id BETWEEN m.lo AND m.hi
    GROUP BY m.id
) w WHERE b.id = w.batch_id
"""

COUNT_REASONS = """
UPDATE messaging_batch b SET reasons = (
    SELECT coalesce(jsonb_object_agg(t.key, t.n) FILTER (WHERE t.n <> 0), '{}') FROM (
        SELECT s.key, sum(s.n) AS n FROM (
            SELECT key, value::bigint AS n FROM jsonb_each_text(b.reasons)
            UNION ALL SELECT w.reason, w.change FROM moved w WHERE w.batch_id = b.id
        ) s GROUP BY s.key
    ) t
) WHERE b.id IN (SELECT batch_id FROM moved)
"""
MOVED = """
WITH moved AS (
    SELECT m.id AS batch_id, c.reason, c.change
    FROM unnest(%(dispatches)s::bigint[], %(ids)s::bigint[], %(reasons)s::text[], %(changes)s::int[])
        AS c(dispatch_id, id, reason, change)
    JOIN messaging_batch m ON m.dispatch_id = c.dispatch_id AND m.ids IS NULL AND c.id BETWEEN m.lo AND m.hi
)
"""
