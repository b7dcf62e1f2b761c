"""The statements that count customers before they are written to, and take counts back."""

from datetime import date

# Days travel as numbers: so many dates would cost more to write down than to count.
EPOCH = date(2000, 1, 1).toordinal()
_DAY = "date '2000-01-01' + "

# The time of the last stays until we know whether this one counts: a gap is measured to it. Nearly all
# counters begin with this message: only what may have counted something before is told.
#
# The batches first, then the counters: a worker that lost its lease must not hold counters while it waits.
# Unless all of them are still ours nothing is taken, and a row without a customer says so. The counters come
# in the order of all.
TAKE = f"""
WITH ours AS MATERIALIZED (
    SELECT t.id FROM messaging_batch t
    JOIN unnest(%(batches)s::bigint[], %(epochs)s::bigint[]) AS b(id, epoch)
        ON t.id = b.id AND t.epoch = b.epoch
    WHERE t.state = 1 ORDER BY t.id FOR UPDATE OF t
), taken AS (
    INSERT INTO messaging_sendcount AS t (customer_id, respect, day, used, at)
    SELECT w.customer_id, w.respect, {_DAY} w.day, w.used, %(at)s
    FROM unnest(%(customer)s::bigint[], %(respect)s::bigint[], %(day)s::int[], %(used)s::smallint[])
        WITH ORDINALITY AS w(customer_id, respect, day, used, place)
    WHERE (SELECT count(*) FROM ours) = cardinality(%(batches)s::bigint[])
    ORDER BY w.place
    ON CONFLICT (customer_id, respect, day) DO UPDATE
    SET used = t.used + excluded.used, at = CASE WHEN t.used > 0 THEN t.at ELSE excluded.at END
    RETURNING t.customer_id, t.respect, t.used, t.at
)
SELECT customer_id, respect, used, CASE WHEN at <> %(at)s THEN at END FROM taken WHERE used > 1
UNION ALL
SELECT NULL, NULL, NULL, NULL WHERE (SELECT count(*) FROM ours) < cardinality(%(batches)s::bigint[])
"""

# A second statement, since only a new snapshot shows what others committed while we waited for their locks.
# The counters of one customer stand beside each other: one walk along the key finds those asked for. The
# inner LIMIT keeps it a look-up whatever the statistics say, and cuts nothing: it is all that can be there.
BEFORE = f"""
SELECT w.customer_id, n.respect, n.day, n.used, n.at
FROM unnest(%(person)s::bigint[], %(today)s::int[], %(since)s::int[], %(first)s::int[], %(last)s::int[])
    AS w(customer_id, today, since, first, last)
CROSS JOIN LATERAL (
    SELECT c.respect, c.day, c.used, c.at FROM messaging_sendcount c
    WHERE c.customer_id = w.customer_id AND c.respect = ANY((%(asked)s::bigint[])[w.first:w.last])
      AND c.day >= {_DAY} w.since AND c.day <> {_DAY} w.today
      AND c.day >= %(oldest)s::date AND c.day <= %(newest)s::date AND c.used > 0
    ORDER BY c.customer_id, c.respect, c.day
    LIMIT (w.last - w.first + 1) * (w.today - w.since + 2)
) n
"""

# What is given back is locked in the order of all. What was just taken is locked already.
_LOCKED = """, locked AS MATERIALIZED (
    SELECT c.customer_id, c.respect, c.day FROM w JOIN messaging_sendcount c
        ON c.customer_id = w.customer_id AND c.respect = w.respect AND c.day = w.day
        AND c.day >= %(oldest)s::date AND c.day <= %(newest)s::date
    ORDER BY c.customer_id, c.respect, c.day FOR UPDATE OF c
)"""
_CORRECT = f"""
WITH w AS (
    SELECT w.customer_id, w.respect, {_DAY} w."on" AS day, w.used, w.mine, w.at
    FROM unnest(%(customer)s::bigint[], %(respect)s::bigint[], %(day)s::int[], %(used)s::smallint[],
                %(mine)s::timestamptz[], %(at)s::timestamptz[])
        AS w(customer_id, respect, "on", used, mine, at)
){{locked}}
UPDATE messaging_sendcount t
SET used = greatest(t.used - w.used, 0),
    at = CASE WHEN w.at IS NOT NULL AND (w.mine IS NULL OR t.at = w.mine) THEN w.at ELSE t.at END
FROM {{rows}}
WHERE t.customer_id = w.customer_id AND t.respect = w.respect AND t.day = w.day
  AND t.day >= %(oldest)s::date AND t.day <= %(newest)s::date
"""
CORRECT_OTHERS = _CORRECT.format(locked=_LOCKED, rows="locked JOIN w USING (customer_id, respect, day)")
CORRECT_OURS = _CORRECT.format(locked="", rows="w")
