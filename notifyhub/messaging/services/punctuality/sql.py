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

# Dispatches and rows of the ledger are looked up one by one, by key: a plain join may read all of a table
# that has grown for years.
TALLY = f"""
WITH e AS MATERIALIZED ({_EVENTS} AND e.kind = ANY(%(kinds)s)),
g AS (
    SELECT date_trunc('minute', e.at) AS minute, e.dispatch_id, e.account_id, e.node, e.kind, count(*) AS n
    FROM e GROUP BY 1, 2, 3, 4, 5
)
INSERT INTO messaging_sendtally (minute, message_class, priority, account_id, node, kind, count)
SELECT g.minute, j.message_class, j.priority, g.account_id, g.node, g.kind, sum(g.n)
FROM g CROSS JOIN LATERAL (
    SELECT message_class, priority FROM messaging_dispatch WHERE id = g.dispatch_id LIMIT 1
) j
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
job AS MATERIALIZED (
    SELECT x.dispatch_id, j.message_class, j.rate_per_second, j.created_at,
           make_interval(secs => t.target_seconds) AS span
    FROM (SELECT DISTINCT dispatch_id FROM e) x
    CROSS JOIN LATERAL (
        SELECT message_class, rate_per_second, created_at FROM messaging_dispatch
        WHERE id = x.dispatch_id LIMIT 1
    ) j
    JOIN messaging_sendingpolicy t ON t.message_class = j.message_class
), w AS MATERIALIZED (
    SELECT e.at, e.dispatch_id, e.delivery_id, e.account_id, job.message_class, job.rate_per_second,
           d.channel, greatest(d.send_at, job.created_at) AS due, job.span
    FROM e JOIN job USING (dispatch_id)
    CROSS JOIN LATERAL (
        SELECT r.channel, r.send_at FROM messaging_delivery r
        WHERE r.dispatch_id = e.dispatch_id AND r.id = e.delivery_id LIMIT 1
    ) d
), due AS MATERIALIZED (
    SELECT w.*, told.tries, told.died, greatest(w.due, told.until) AS moved
    FROM w LEFT JOIN LATERAL (
        SELECT max(CASE WHEN v.kind = 'delayed' THEN
                   substring(v.detail FROM 'until=([0-9-]{{10}}T[0-9:.]+[Z0-9:+-]*)')::timestamptz
               END) AS until,
               count(*) FILTER (WHERE v.kind = 'retry') AS tries,
               coalesce(bool_or(v.kind = 'retry' AND v.code = 'worker_died'), FALSE) AS died
        FROM messaging_deliveryevent v
        WHERE v.dispatch_id = w.dispatch_id AND v.delivery_id = w.delivery_id AND v.at BETWEEN w.due AND w.at
          AND w.at - w.due > w.span
    ) told ON TRUE
), edge AS MATERIALIZED (
    SELECT date_trunc('minute', min(moved)) AS since, max(at) AS until FROM due WHERE at - moved > span
), shut AS MATERIALIZED (
    SELECT DISTINCT a.channel, s.minute FROM edge
    JOIN messaging_sendtally s ON s.minute BETWEEN edge.since AND edge.until
    JOIN messaging_provideraccount a ON a.id = s.account_id
    WHERE s.kind = 'circuit'
), full_ AS MATERIALIZED (
    SELECT s.account_id, s.minute FROM edge
    JOIN messaging_sendtally s ON s.minute BETWEEN edge.since AND edge.until
    JOIN messaging_provideraccount a ON a.id = s.account_id
    WHERE s.kind = 'sent'
    GROUP BY s.account_id, s.minute, a.rate_per_second HAVING sum(s.count) >= 48 * a.rate_per_second
), stop AS MATERIALIZED (
    SELECT a.object_id::bigint AS dispatch_id, '' AS scope, '' AS value, a.at AS since,
           coalesce((SELECT min(b.at) FROM staff_auditentry b
                     WHERE b.object_type = a.object_type AND b.object_id = a.object_id
                       AND b.verb = 'resume_dispatch' AND b.at > a.at), 'infinity') AS until
    FROM staff_auditentry a
    WHERE a.object_type = 'messaging.dispatch' AND a.verb = 'pause_dispatch'
      AND a.object_id IN (SELECT DISTINCT dispatch_id::text FROM due WHERE at - moved > span)
    UNION ALL
    SELECT NULL, h.scope, h.value, h.placed_at, coalesce(h.lifted_at, 'infinity')
    FROM messaging_halt h, edge
    WHERE h.placed_at < edge.until AND (h.lifted_at IS NULL OR h.lifted_at > edge.since)
)
SELECT l.message_class, date_trunc('hour', l.moved),
       width_bucket(greatest(extract(epoch FROM l.at - l.moved), 0)::float8, %(bounds)s::float8[]),
       CASE
           WHEN l.at - l.moved <= l.span THEN ''
           WHEN l.died THEN 'worker_died'
           WHEN stood.span >= l.at - l.moved - l.span THEN 'paused'
           WHEN EXISTS (SELECT 1 FROM shut WHERE shut.channel = l.channel
                        AND shut.minute BETWEEN date_trunc('minute', l.moved) AND l.at) THEN 'circuit'
           WHEN l.tries > 0 THEN 'retry'
           WHEN l.rate_per_second IS NOT NULL OR EXISTS (
               SELECT 1 FROM full_ WHERE full_.account_id = l.account_id
                 AND full_.minute BETWEEN date_trunc('minute', l.moved) AND l.at) THEN 'rate'
           ELSE 'queue'
       END, count(*), l.account_id, date_trunc('minute', l.at)
FROM due l
LEFT JOIN LATERAL (
    SELECT coalesce(sum(least(i.until, l.at) - greatest(i.since, l.moved)), interval '0') AS span
    FROM stop i
    WHERE i.since < l.at AND i.until > l.moved AND l.at - l.moved > l.span AND (
        i.dispatch_id = l.dispatch_id OR i.scope = 'all'
        OR (i.scope = 'class' AND i.value = l.message_class)
        OR (i.scope = 'channel' AND i.value = l.channel)
        OR (i.scope = 'account' AND i.value = l.account_id::text)
        OR (i.scope = 'restored' AND l.moved < i.since))
) stood ON TRUE
GROUP BY 1, 2, 3, 4, 6, 7
"""

# How long messages had waited when an account took them, as samples of its minute: what the hour of an
# account shows. They are read with the hour and leave with it.
KEEP_WAITS = """
INSERT INTO messaging_sendtally (minute, message_class, priority, account_id, node, kind, count)
SELECT minute, '', 0, account_id, '', kind, count
FROM unnest(%(minutes)s::timestamptz[], %(accounts)s::int[], %(kinds)s::text[], %(counts)s::bigint[])
     AS t(minute, account_id, kind, count)
ON CONFLICT (minute, message_class, priority, account_id, node, kind)
DO UPDATE SET count = messaging_sendtally.count + excluded.count
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
