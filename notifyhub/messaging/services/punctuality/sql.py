"""What the roll-up asks: each event of the engine once, and why a late message was late."""

# What a worker or the reaper writes with the database's clock; receipts bring the vendor's clock with them.
KINDS = ("sent", "failed", "retry", "delayed", "unknown", "skipped", "expired", "cancelled")

# Events carry the clock of their statement and are seen when it commits. What began before the oldest
# transaction that still writes is all there is; one that hangs holds the roll-up back for five minutes.
HORIZON = """
SELECT greatest(clock_timestamp() - interval '5 minutes', least(
    clock_timestamp() - interval '1 second',
    (SELECT min(xact_start) FROM pg_stat_activity
     WHERE datname = current_database() AND backend_xid IS NOT NULL AND pid <> pg_backend_pid())))
"""

FIRST = "SELECT min(at) FROM messaging_deliveryevent WHERE at > %s"

_EVENTS = """
    SELECT e.at, e.dispatch_id, e.delivery_id, coalesce(e.account_id, 0) AS account_id, e.kind,
           split_part(e.worker, ':', 1) AS node
    FROM messaging_deliveryevent e
    WHERE e.at > %(after)s AND e.at <= %(upto)s AND e.worker <> ''
"""

TALLY = f"""
WITH e AS MATERIALIZED ({_EVENTS} AND e.kind = ANY(%(kinds)s))
INSERT INTO messaging_sendtally (minute, message_class, priority, account_id, node, kind, count)
SELECT date_trunc('minute', e.at), j.message_class, j.priority, e.account_id, e.node, e.kind, count(*)
FROM e JOIN messaging_dispatch j ON j.id = e.dispatch_id
GROUP BY 1, 2, 3, 4, 5, 6
ON CONFLICT (minute, message_class, priority, account_id, node, kind)
DO UPDATE SET count = messaging_sendtally.count + excluded.count
"""

# Due is the planned moment, or the acceptance if that came later; quiet hours move it. A late message was
# late because of the first of these that is on record: a worker died with it; without the pauses and halts
# it would have been on time; its channel's circuit was open; it had to be tried again; its dispatch has a
# rate of its own, or the account gave all it is allowed to. What is left waited for a free worker.
WAITS = f"""
WITH e AS MATERIALIZED ({_EVENTS} AND e.kind = 'sent'),
target AS (SELECT message_class, make_interval(secs => target_seconds) AS span FROM messaging_sendingpolicy),
w AS MATERIALIZED (
    SELECT e.at, e.dispatch_id, e.delivery_id, e.account_id, j.message_class, j.rate_per_second, d.channel,
           greatest(d.send_at, j.created_at) AS due, t.span
    FROM e
    JOIN messaging_dispatch j ON j.id = e.dispatch_id
    JOIN target t ON t.message_class = j.message_class
    JOIN messaging_delivery d ON d.dispatch_id = e.dispatch_id AND d.id = e.delivery_id
), put AS (
    SELECT w.dispatch_id, w.delivery_id,
           max(CASE WHEN v.detail ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T'
                    THEN v.detail::timestamptz END) AS until
    FROM w JOIN messaging_deliveryevent v ON v.dispatch_id = w.dispatch_id AND v.delivery_id = w.delivery_id
    WHERE w.at - w.due > w.span AND v.kind = 'delayed' AND v.at <= w.at
    GROUP BY 1, 2
), side AS (
    SELECT b.dispatch_id, i AS delivery_id, max(b.not_before) AS until
    FROM messaging_batch b CROSS JOIN LATERAL unnest(b.ids) AS i
    WHERE b.dispatch_id IN (SELECT dispatch_id FROM put WHERE until IS NULL) AND b.ids IS NOT NULL
    GROUP BY 1, 2
), due AS MATERIALIZED (
    SELECT w.*, greatest(w.due, coalesce(put.until, side.until)) AS moved
    FROM w LEFT JOIN put USING (dispatch_id, delivery_id)
    LEFT JOIN side ON side.dispatch_id = put.dispatch_id AND side.delivery_id = put.delivery_id
), late AS MATERIALIZED (
    SELECT due.*, due.at - due.moved - due.span AS over FROM due WHERE due.at - due.moved > due.span
), pause AS MATERIALIZED (
    SELECT a.object_id::bigint AS dispatch_id, a.at AS since,
           coalesce((SELECT min(b.at) FROM staff_auditentry b
                     WHERE b.object_type = a.object_type AND b.object_id = a.object_id
                       AND b.verb = 'resume_dispatch' AND b.at > a.at), 'infinity') AS until
    FROM staff_auditentry a
    WHERE a.object_type = 'messaging.dispatch' AND a.verb = 'pause_dispatch'
      AND a.object_id IN (SELECT DISTINCT dispatch_id::text FROM late)
), why AS (
    SELECT l.message_class, l.moved, l.at, l.dispatch_id, l.delivery_id, CASE
        WHEN tried.died THEN 'worker_died'
        WHEN stood.span >= l.over THEN 'paused'
        WHEN EXISTS (
            SELECT 1 FROM messaging_sendtally s JOIN messaging_provideraccount a ON a.id = s.account_id
            WHERE s.kind = 'circuit' AND a.channel = l.channel
              AND s.minute BETWEEN date_trunc('minute', l.moved) AND l.at) THEN 'circuit'
        WHEN tried.died IS NOT NULL THEN 'retry'
        WHEN l.rate_per_second IS NOT NULL OR EXISTS (
            SELECT 1 FROM messaging_sendtally s JOIN messaging_provideraccount a ON a.id = s.account_id
            WHERE s.kind = 'sent' AND s.account_id = l.account_id
              AND s.minute BETWEEN date_trunc('minute', l.moved) AND l.at
            GROUP BY s.minute, a.rate_per_second HAVING sum(s.count) >= 48 * a.rate_per_second) THEN 'rate'
        ELSE 'queue' END AS cause
    FROM late l
    CROSS JOIN LATERAL (
        SELECT bool_or(v.code = 'worker_died') AS died FROM messaging_deliveryevent v
        WHERE v.dispatch_id = l.dispatch_id AND v.delivery_id = l.delivery_id AND v.kind = 'retry'
    ) tried
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(least(i.until, l.at) - greatest(i.since, l.moved)), interval '0') AS span FROM (
            SELECT p.since, p.until FROM pause p WHERE p.dispatch_id = l.dispatch_id
            UNION ALL
            SELECT h.placed_at, coalesce(h.lifted_at, 'infinity') FROM messaging_halt h
            WHERE h.scope = 'all' OR (h.scope = 'class' AND h.value = l.message_class)
               OR (h.scope = 'channel' AND h.value = l.channel)
               OR (h.scope = 'account' AND h.value = l.account_id::text)
               OR (h.scope = 'restored' AND l.moved < h.placed_at)
        ) i WHERE i.since < l.at AND i.until > l.moved
    ) stood
)
SELECT due.message_class, date_trunc('hour', due.moved),
       width_bucket(greatest(extract(epoch FROM due.at - due.moved), 0)::float8, %(bounds)s::float8[]),
       coalesce(why.cause, ''), count(*)
FROM due LEFT JOIN why USING (dispatch_id, delivery_id, at)
GROUP BY 1, 2, 3, 4
"""

# Once a minute is enough for a line over an hour; each run of a tick replaces its minute's sample.
SAMPLE_WAITING = """
INSERT INTO messaging_sendtally (minute, message_class, priority, account_id, node, kind, count)
SELECT date_trunc('minute', statement_timestamp()), '', p, 0, '', 'waiting', coalesce((
    SELECT sum(CASE WHEN b.ids IS NULL THEN b.hi - b.cursor ELSE cardinality(b.ids) END)
    FROM messaging_batch b JOIN messaging_dispatch j ON j.id = b.dispatch_id
    WHERE b.state IN (0, 1) AND b.priority = p AND b.not_before <= statement_timestamp()
      AND j.state IN ('running', 'cancelling')), 0)
FROM unnest(ARRAY[0, 1]) AS p
ON CONFLICT (minute, message_class, priority, account_id, node, kind) DO UPDATE SET count = excluded.count
"""
SAMPLE_CIRCUITS = """
INSERT INTO messaging_sendtally (minute, message_class, priority, account_id, node, kind, count)
SELECT date_trunc('minute', statement_timestamp()), '', 0, g.account_id, '', 'circuit', 1
FROM messaging_accountgate g JOIN messaging_provideraccount a ON a.id = g.account_id
WHERE a.active AND g.circuit <> 'closed'
ON CONFLICT (minute, message_class, priority, account_id, node, kind)
DO UPDATE SET count = messaging_sendtally.count + 1
"""

# Minutes become hours after three hours, hours become the row of 1970 after three days; samples go.
FOLD = """
WITH old AS (
    DELETE FROM messaging_sendtally WHERE minute < %(edge)s AND minute > %(floor)s
      AND (kind = ANY(%(samples)s) OR minute <> date_trunc(%(unit)s, minute) OR node <> ''
           OR %(unit)s = 'millennium')
    RETURNING minute, message_class, priority, account_id, kind, count
)
INSERT INTO messaging_sendtally (minute, message_class, priority, account_id, node, kind, count)
SELECT CASE WHEN %(unit)s = 'hour' THEN date_trunc('hour', minute) ELSE %(floor)s END,
       message_class, priority, account_id, '', kind, sum(count)
FROM old WHERE kind <> ALL(%(samples)s)
GROUP BY 1, 2, 3, 4, 6
ON CONFLICT (minute, message_class, priority, account_id, node, kind)
DO UPDATE SET count = messaging_sendtally.count + excluded.count
"""
