"""The one statement behind all portraits: for a range of ids or for a list of them.

The range or list is repeated for each table, so that no join reads more than it needs. What a customer did
last is carried on from the row: the events behind it may be gone by retention. Only a row that is made anew
looks through the customer's events.
"""

from notifyhub.customers.models import Event, Order

# What says that the customer is there: all the platform tells, and of our own events what they did.
DONE_BY_CUSTOMER = (
    "message_clicked",
    "message_read",
    "message_unsubscribed",
    "message_complained",
    "case_opened",
)
REACTIONS = ("message_clicked", "message_read")
NOT_COUNTED = (Order.State.CANCELLED, Order.State.REFUNDED)

_RANGE = "{0} > %(lo)s AND {0} <= %(hi)s"
_LIST = "{0} = ANY(%(ids)s)"
_SIGN = f"(e.source <> '{Event.OWN}' OR e.name = ANY(%(done)s))"

# Each column as it is computed, in the order of the insert.
COLUMNS = {
    "stage": """CASE
        WHEN coalesce(k.first_at, w.created_at) > n.at - n.new_days THEN 'new'
        WHEN k.last_at > n.at - n.active_days THEN 'active'
        WHEN coalesce(k.last_at, w.created_at) > n.at - n.cooling_days THEN 'cooling'
        WHEN coalesce(k.last_at, w.created_at) > n.at - n.asleep_days THEN 'asleep'
        ELSE 'lost' END""",
    "last_seen_at": "greatest(w.seen, s.at, k.last_at, f.at)",
    "first_order_at": "k.first_at",
    "last_order_at": "k.last_at",
    "orders_30": "coalesce(k.orders_30, 0)",
    "orders_90": "coalesce(k.orders_90, 0)",
    "orders_total": "coalesce(k.orders_total, 0)",
    "order_gap_days": "k.gap",
    "currency": "coalesce(m.currency, '')",
    "spend_30": "coalesce(m.spend_30, 0)",
    "spend_90": "coalesce(m.spend_90, 0)",
    "spend_total": "coalesce(m.spend_total, 0)",
    "average_basket": "m.basket",
    "foreign_orders": "coalesce(k.orders_total - m.orders, 0)",
    "favourite_line": "coalesce(v.line, '')",
    "favourite_merchant": "coalesce(v.merchant, '')",
    "favourite_hour": "v.hour",
    "favourite_weekday": "v.weekday",
    "last_city": "coalesce(k.city, '')",
    "best_channel": "coalesce(h.channel, '')",
    "best_hour": "h.hour",
    "reactions": "coalesce(h.reactions, 0)",
}
_NAMES = ", ".join(COLUMNS)
_VALUES = ",\n       ".join(COLUMNS.values())
_SETS = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS)
_OLD = ", ".join(f"t.{name}" for name in COLUMNS)
_NEW = ", ".join(f"excluded.{name}" for name in COLUMNS)

_REFRESH = f"""
WITH n AS MATERIALIZED (
    SELECT statement_timestamp() AS at, make_interval(days => g.new_days) AS new_days,
           make_interval(days => g.active_days) AS active_days,
           make_interval(days => g.cooling_days) AS cooling_days,
           make_interval(days => g.asleep_days) AS asleep_days,
           g.favourite_orders, g.reaction_minimum
    FROM customers_traitsettings g
), w AS MATERIALIZED (
    SELECT c.id, c.created_at, coalesce(z.name, %(home)s) AS zone, t.last_seen_at AS seen,
           t.customer_id IS NULL AS anew
    FROM customers_customer c
    LEFT JOIN customers_customertrait t ON t.customer_id = c.id AND {{t_scope}}
    LEFT JOIN unnest(%(zones)s::text[]) AS z(name) ON z.name = c.time_zone
    WHERE {{c_scope}} AND c.state = 'active'
), s AS MATERIALIZED (
    SELECT e.customer_id, max(e.occurred_at) AS at FROM customers_event e
    WHERE e.received_at > %(after)s AND e.received_at <= %(upto)s AND {_SIGN} AND {{e_scope}}
    GROUP BY e.customer_id
), f AS MATERIALIZED (
    SELECT w.id AS customer_id, e.occurred_at AS at FROM w CROSS JOIN LATERAL (
        SELECT e.occurred_at FROM customers_event e WHERE e.customer_id = w.id AND {_SIGN}
        ORDER BY e.occurred_at DESC LIMIT 1
    ) e WHERE w.anew
), o AS MATERIALIZED (
    SELECT o.customer_id, p.at, o.line, nullif(o.merchant, '') AS merchant, nullif(o.city, '') AS city,
           o.currency, o.amount_paid - o.amount_refunded AS paid, p.at > n.at - interval '365 days' AS recent,
           extract(hour FROM p.at AT TIME ZONE w.zone)::smallint AS hour,
           extract(isodow FROM p.at AT TIME ZONE w.zone)::smallint AS weekday
    FROM customers_order o
    JOIN w ON w.id = o.customer_id
    CROSS JOIN n
    CROSS JOIN LATERAL (SELECT coalesce(o.placed_at, o.told_at) AS at) p
    WHERE {{o_scope}} AND o.state <> ALL(%(not_counted)s)
), k AS MATERIALIZED (
    SELECT o.customer_id, min(o.at) AS first_at, max(o.at) AS last_at, count(*) AS orders_total,
           count(*) FILTER (WHERE o.at > n.at - interval '30 days') AS orders_30,
           count(*) FILTER (WHERE o.at > n.at - interval '90 days') AS orders_90,
           round((extract(epoch FROM max(o.at) FILTER (WHERE o.recent) - min(o.at) FILTER (WHERE o.recent))
                  / 86400 / nullif(count(*) FILTER (WHERE o.recent) - 1, 0))::numeric, 1) AS gap,
           (array_agg(o.city ORDER BY o.at DESC) FILTER (WHERE o.city IS NOT NULL))[1] AS city
    FROM o CROSS JOIN n GROUP BY o.customer_id
), m AS MATERIALIZED (
    SELECT DISTINCT ON (g.customer_id) g.* FROM (
        SELECT o.customer_id, o.currency, count(*) AS orders, max(o.at) AS last_at,
               coalesce(sum(o.paid) FILTER (WHERE o.at > n.at - interval '30 days'), 0) AS spend_30,
               coalesce(sum(o.paid) FILTER (WHERE o.at > n.at - interval '90 days'), 0) AS spend_90,
               sum(o.paid) AS spend_total, round(avg(o.paid) FILTER (WHERE o.paid > 0), 2) AS basket
        FROM o CROSS JOIN n GROUP BY o.customer_id, o.currency
    ) g ORDER BY g.customer_id, g.orders DESC, g.last_at DESC
), liked AS (
    SELECT o.customer_id, grouping(o.line, o.merchant, o.hour, o.weekday) AS taste, o.line, o.merchant,
           o.hour, o.weekday, count(*) AS orders, max(o.at) AS last_at
    FROM o WHERE o.recent
    GROUP BY GROUPING SETS ((o.customer_id, o.line), (o.customer_id, o.merchant), (o.customer_id, o.hour),
                            (o.customer_id, o.weekday))
), best AS (
    SELECT DISTINCT ON (l.customer_id, l.taste) l.* FROM liked l CROSS JOIN n
    WHERE l.orders >= n.favourite_orders
      AND coalesce(l.line, l.merchant, l.hour::text, l.weekday::text) IS NOT NULL
    ORDER BY l.customer_id, l.taste, l.orders DESC, l.last_at DESC
), v AS MATERIALIZED (
    SELECT customer_id, max(line) AS line, max(merchant) AS merchant, max(hour) AS hour,
           max(weekday) AS weekday
    FROM best GROUP BY customer_id
), r AS MATERIALIZED (
    SELECT e.customer_id, e.properties ->> 'channel' AS channel, e.properties ->> 'delivery' AS delivery,
           min(e.occurred_at) AS at
    FROM customers_event e
    WHERE {{e_scope}} AND e.name IN {REACTIONS} AND e.source = '{Event.OWN}'
      AND e.occurred_at > %(reactions_since)s AND e.received_at > %(reactions_since)s
    GROUP BY 1, 2, 3
), heard AS (
    SELECT r.customer_id, grouping(r.channel) AS by_hour, r.channel, r.hour, count(*) AS times,
           max(r.at) AS last_at
    FROM (
        SELECT r.*, extract(hour FROM r.at AT TIME ZONE w.zone)::smallint AS hour
        FROM r JOIN w ON w.id = r.customer_id
    ) r
    GROUP BY GROUPING SETS ((r.customer_id, r.channel), (r.customer_id, r.hour))
), counted AS (
    SELECT *, sum(times) OVER (PARTITION BY customer_id, by_hour) AS total,
           row_number() OVER (PARTITION BY customer_id, by_hour ORDER BY times DESC, last_at DESC) AS place
    FROM heard
), h AS MATERIALIZED (
    SELECT q.customer_id, max(q.total) AS reactions,
           max(q.channel) FILTER (WHERE q.by_hour = 0 AND q.times >= n.reaction_minimum) AS channel,
           max(q.hour) FILTER (WHERE q.by_hour = 1 AND q.total >= n.reaction_minimum AND q.times > 1) AS hour
    FROM counted q CROSS JOIN n WHERE q.place = 1 GROUP BY q.customer_id
)
INSERT INTO customers_customertrait AS t (customer_id, {_NAMES}, computed_at)
SELECT w.id,
       {_VALUES},
       clock_timestamp()
FROM w CROSS JOIN n
LEFT JOIN s ON s.customer_id = w.id
LEFT JOIN f ON f.customer_id = w.id
LEFT JOIN k ON k.customer_id = w.id
LEFT JOIN m ON m.customer_id = w.id
LEFT JOIN v ON v.customer_id = w.id
LEFT JOIN h ON h.customer_id = w.id
ORDER BY w.id
ON CONFLICT (customer_id) DO UPDATE SET {_SETS}, computed_at = excluded.computed_at
WHERE %(always)s OR ({_OLD}) IS DISTINCT FROM ({_NEW})
"""


def _for(scope: str) -> str:
    return _REFRESH.format(
        t_scope=scope.format("t.customer_id"),
        c_scope=scope.format("c.id"),
        e_scope=scope.format("e.customer_id"),
        o_scope=scope.format("o.customer_id"),
    )


REFRESH_RANGE = _for(_RANGE)
REFRESH_LIST = _for(_LIST)

# Merged and erased customers have no portrait.
FORGET = """
DELETE FROM customers_customertrait t USING customers_customer c
WHERE c.id = t.customer_id AND c.state <> 'active' AND {scope}
"""
FORGET_RANGE = FORGET.format(scope=_RANGE.format("t.customer_id") + " AND " + _RANGE.format("c.id"))
FORGET_LIST = FORGET.format(scope=_LIST.format("t.customer_id"))

NEWS = """
SELECT array_agg(DISTINCT customer_id) FROM customers_event
WHERE received_at > %(after)s AND received_at <= %(upto)s
"""
