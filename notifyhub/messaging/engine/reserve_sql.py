"""The statements that count customers before they are written to, and take counts back.

What a customer was counted for on a day stands in one row, as lists beside each other: to begin a row costs
as much as the rest of a gate, and nearly every message begins one. What is counted about a subject has rows
of its own, since it is looked up three months back and not a week.
"""

from datetime import date

# Days travel as numbers: so many dates would cost more to write down than to count.
EPOCH = date(2000, 1, 1).toordinal()
_DAY = "date '2000-01-01' + "

# Each message adds entries of its own, so that its time goes with it when it is given back. Whoever is
# written to very often keeps one entry a respect of what is older.
_MANY = 60
ADDED = f"""
(respects, used, at) = (
    SELECT t.respects || excluded.respects, t.used || excluded.used, t.at || excluded.at
    WHERE cardinality(t.respects) < {_MANY}
    UNION ALL
    SELECT array_agg(b.respect) || excluded.respects, array_agg(b.used) || excluded.used,
           array_agg(b.at) || excluded.at
    FROM (
        SELECT c.respect, sum(c.used)::smallint AS used, max(c.at) AS at
        FROM unnest(t.respects, t.used, t.at) AS c(respect, used, at) GROUP BY c.respect) b
    WHERE cardinality(t.respects) >= {_MANY} HAVING count(*) > 0)
"""

# Nearly all counters begin with this message: only what stood there before is told.
#
# The batches first, then the counters: a worker that lost its lease must not hold counters while it waits.
# Unless all of them are still ours nothing is taken, and a row without a customer says so. The counters come
# in the order of all.
_TAKE = f"""
WITH ours AS MATERIALIZED (
    SELECT t.id FROM messaging_batch t
    JOIN unnest(%(batches)s::bigint[], %(epochs)s::bigint[]) AS b(id, epoch)
        ON t.id = b.id AND t.epoch = b.epoch
    WHERE t.state = 1 ORDER BY t.id FOR UPDATE OF t
), w AS MATERIALIZED (
    SELECT w.*, w.last - w.first + 1 AS own
    FROM unnest(%(person)s::bigint[], %(subject)s::bigint[], %(today)s::int[], %(first)s::int[],
                %(last)s::int[]) WITH ORDINALITY AS w(customer_id, subject, today, first, last, place)
), taken AS (
    INSERT INTO messaging_sendday AS t (customer_id, subject, day, respects, used, at)
    SELECT w.customer_id, w.subject, {_DAY} w.today, (%(asked)s::bigint[])[w.first:w.last],
           coalesce((%(used)s::smallint[])[w.first:w.last], array_fill(1::smallint, ARRAY[w.own])),
           array_fill(%(at)s::timestamptz, ARRAY[w.own])
    FROM w WHERE (SELECT count(*) FROM ours) = cardinality(%(batches)s::bigint[])
    ORDER BY w.place
    ON CONFLICT (customer_id, subject, day) DO UPDATE SET {ADDED}
    RETURNING t.customer_id, t.subject, t.day, t.respects, t.used, t.at
)
SELECT k.customer_id, c.respect, sum(c.used), max(c.at)
FROM taken k {{join}}
CROSS JOIN LATERAL unnest(k.respects, k.used, k.at) WITH ORDINALITY AS c(respect, used, at, place)
WHERE cardinality(k.respects) > {{own}} AND c.place <= cardinality(k.respects) - {{own}}
GROUP BY k.customer_id, c.respect
UNION ALL
SELECT NULL, NULL, NULL, NULL WHERE (SELECT count(*) FROM ours) < cardinality(%(batches)s::bigint[])
"""
# In a campaign each customer asks for equally many; to look that up row by row is half of the statement.
TAKE_ALIKE = _TAKE.format(join="", own="%(own)s::int")
TAKE = _TAKE.format(
    join=f"JOIN w ON w.customer_id = k.customer_id AND w.subject = k.subject AND {_DAY} w.today = k.day",
    own="w.own",
)

# A second statement, since only a new snapshot shows what others committed while we waited for their locks.
# The days of one customer stand beside each other: one walk along the key finds them. The inner LIMIT keeps
# it a look-up whatever the statistics say, and cuts nothing: it is all that can be there.
BEFORE = f"""
SELECT w.customer_id, c.respect, n.day, c.used, c.at
FROM unnest(%(person)s::bigint[], %(subject)s::bigint[], %(today)s::int[], %(since)s::int[], %(first)s::int[],
            %(last)s::int[]) AS w(customer_id, subject, today, since, first, last)
CROSS JOIN LATERAL (
    SELECT s.day, s.respects, s.used, s.at FROM messaging_sendday s
    WHERE s.customer_id = w.customer_id AND s.subject = w.subject AND s.day >= {_DAY} w.since
      AND s.day <> {_DAY} w.today AND s.day >= %(oldest)s::date AND s.day <= %(newest)s::date
    ORDER BY s.customer_id, s.subject, s.day LIMIT w.today - w.since + 2
) n
CROSS JOIN LATERAL unnest(n.respects, n.used, n.at) AS c(respect, used, at)
WHERE c.used > 0 AND c.respect = ANY((%(asked)s::bigint[])[w.first:w.last])
"""

# An entry is known by its time; where that is not known, or was made one with others, the latest goes. What
# is given back is locked in the order of all. What was just taken is locked already.
_LOCKED = """, locked AS MATERIALIZED (
    SELECT s.customer_id, s.subject, s.day FROM w JOIN messaging_sendday s
        ON s.customer_id = w.customer_id AND s.subject = w.subject AND s.day = w.day
        AND s.day >= %(oldest)s::date AND s.day <= %(newest)s::date
    ORDER BY s.customer_id, s.subject, s.day FOR UPDATE OF s
)"""
_CORRECT = f"""
WITH w AS (
    SELECT w.customer_id, w.subject, {_DAY} w."on" AS day, w.first, w.last
    FROM unnest(%(person)s::bigint[], %(subject)s::bigint[], %(day)s::int[], %(first)s::int[],
                %(last)s::int[]) AS w(customer_id, subject, "on", first, last)
){{locked}}
UPDATE messaging_sendday t SET (respects, used, at) = (
    SELECT coalesce(array_agg(b.respect ORDER BY b.place), '{{{{}}}}'),
           coalesce(array_agg(b.used::smallint ORDER BY b.place), '{{{{}}}}'),
           coalesce(array_agg(b.at ORDER BY b.place), '{{{{}}}}')
    FROM (
        SELECT c.respect, c.at, c.place,
               c.used - greatest(least(c.used, coalesce(x.less, 0) - coalesce(sum(c.used) OVER later, 0)), 0)
                   AS used
        FROM unnest(t.respects, t.used, t.at) WITH ORDINALITY AS c(respect, used, at, place)
        LEFT JOIN unnest((%(respect)s::bigint[])[w.first:w.last], (%(less)s::smallint[])[w.first:w.last],
                         (%(mine)s::timestamptz[])[w.first:w.last])
            AS x(respect, less, mine) ON x.respect = c.respect
        WINDOW later AS (
            PARTITION BY c.respect ORDER BY (c.at = x.mine) DESC NULLS LAST, c.at DESC, c.place DESC
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ) b WHERE b.used > 0)
FROM {{rows}}
WHERE t.customer_id = w.customer_id AND t.subject = w.subject AND t.day = w.day
  AND t.day >= %(oldest)s::date AND t.day <= %(newest)s::date
"""
CORRECT_OTHERS = _CORRECT.format(locked=_LOCKED, rows="locked JOIN w USING (customer_id, subject, day)")
CORRECT_OURS = _CORRECT.format(locked="", rows="w")
