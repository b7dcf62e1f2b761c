"""What a rule sees in events, and when it applies, as SQL over sightings.

A verdict depends on which events there are and on nothing else: not on the order in which they came, how
often each came, or in how many portions they were read.
"""

from typing import Any

from notifyhub.customers.models import WatchRule

Kind = WatchRule.Kind

ORDER = """coalesce(nullif(e.order_number, ''), left(e.properties ->> 'order_number', 64),
    left(e.properties ->> 'order_id', 64), '')"""
# Parts of a key are kept apart by a character that nobody types. An event that lacks one of the properties
# belongs to nothing, and has no key.
_RAW_KEY = f"""
    CASE WHEN EXISTS (SELECT 1 FROM unnest(r.properties) AS p (name)
                      WHERE coalesce(e.properties ->> p.name, '') = '') THEN NULL
    ELSE concat_ws(chr(31),
        CASE WHEN r.kind = 'burst' THEN NULL
             WHEN r.scope = 'customer' THEN 'customer:' || e.customer_id
             ELSE 'order:' || nullif({ORDER}, '') END,
        (SELECT string_agg(e.properties ->> p.name, chr(31) ORDER BY p.place)
         FROM unnest(r.properties) WITH ORDINALITY AS p (name, place)))
    END"""
SIGHTED = f"""
    SELECT r.id AS rule_id, k.key, k.role, e.occurred_at, e.message_id, e.id AS event_id, e.name,
        e.customer_id, k.order_number,
        coalesce(e.received_at > r.defined_at, true) AS fresh,
        CASE WHEN r.kind = 'missing' AND k.role = 1 AND (e.received_at <= r.defined_at
                  AND e.occurred_at + make_interval(mins => r.minutes) < r.defined_at) IS NOT TRUE
             THEN greatest(e.occurred_at + make_interval(mins => r.minutes), %(now)s)
                  + make_interval(secs => %(settle)s) END AS due_at
    FROM {{rules}} r JOIN customers_event e ON e.name = ANY (r.first || r.second || r.unless)
    CROSS JOIN LATERAL (
        SELECT CASE WHEN length(raw.key) > 200 THEN left(raw.key, 160) || md5(raw.key) ELSE raw.key END
                AS key,
            CASE WHEN e.name = ANY (r.first) THEN 1 WHEN e.name = ANY (r.second) THEN 2 ELSE 3 END AS role,
            {ORDER} AS order_number,
            r.kind = 'burst' OR r.scope = 'customer' OR {ORDER} <> '' AS whole
        FROM (SELECT {_RAW_KEY} AS key) raw) k
    WHERE k.key <> '' AND k.whole AND {{where}}
"""
# What came in before the rule was defined is company for what comes, and is not judged itself.
SEE = """
WITH sighted AS MATERIALIZED ({sighted}),
seen AS (
    INSERT INTO customers_watchsighting (
        rule_id, key, role, occurred_at, message_id, event_id, name, customer_id, order_number, due_at)
    SELECT rule_id, key, role, occurred_at, message_id, event_id, name, customer_id, order_number, due_at
    FROM sighted ORDER BY rule_id, message_id
    ON CONFLICT (rule_id, message_id) DO NOTHING
)
SELECT rule_id, key, min(occurred_at), max(occurred_at) FROM sighted WHERE fresh GROUP BY rule_id, key
"""
RULES = "(SELECT * FROM customers_watchrule WHERE state = 'active' AND loaded = definition)"
# A rule that nobody has saved, to try it out.
GIVEN = """(SELECT 0::bigint AS id, %(kind)s AS kind, %(first)s::text[] AS first,
    %(second)s::text[] AS second, %(unless)s::text[] AS unless, %(scope)s AS scope,
    %(properties)s::text[] AS properties, %(minutes)s::int AS minutes, NULL::timestamptz AS defined_at)"""

_WINDOW = "make_interval(mins => %(minutes)s)"
# kind: the part that is judged, what is asked, since when the evidence reaches.
VERDICTS: dict[str, tuple[int, str, str]] = {
    Kind.TWICE: (
        1,
        f"""lag(s.occurred_at) OVER (PARTITION BY s.key ORDER BY s.occurred_at, s.message_id)
            >= s.occurred_at - {_WINDOW}""",
        "lag(s.occurred_at) OVER (PARTITION BY s.key ORDER BY s.occurred_at, s.message_id)",
    ),
    # Of several first events the last one decides: what ended it after that one ended it after all.
    Kind.AFTER: (
        2,
        f"""max(s.occurred_at) FILTER (WHERE s.role = 1) OVER past >= s.occurred_at - {_WINDOW}
            AND coalesce(max(s.occurred_at) FILTER (WHERE s.role = 3) OVER past
                < max(s.occurred_at) FILTER (WHERE s.role = 1) OVER past, true)""",
        "max(s.occurred_at) FILTER (WHERE s.role = 1) OVER past",
    ),
    Kind.BURST: (
        1,
        f"""count(*) OVER (PARTITION BY s.key ORDER BY s.occurred_at
            RANGE BETWEEN {_WINDOW} PRECEDING AND CURRENT ROW) >= %(count)s""",
        f"""min(s.occurred_at) OVER (PARTITION BY s.key ORDER BY s.occurred_at
            RANGE BETWEEN {_WINDOW} PRECEDING AND CURRENT ROW)""",
    ),
    Kind.MISSING: (
        1,
        f"""s.due_at IS NULL AND min(s.occurred_at) FILTER (WHERE s.role <> 1)
            OVER (PARTITION BY s.key ORDER BY s.occurred_at
            RANGE BETWEEN CURRENT ROW AND {_WINDOW} FOLLOWING) IS NULL""",
        "s.occurred_at",
    ),
}
# What a new event can change lies within one window of it: behind it, or before it where one looks ahead.
_REACH = {
    Kind.MISSING: f"s.occurred_at BETWEEN s.low - {_WINDOW} AND s.high AND s.due_at IS NULL",
}
_FORWARD = f"s.occurred_at BETWEEN s.low AND s.high + {_WINDOW}"


def judged(kind: str, source: str, reach: str) -> str:
    """Return the query of `source` (aliased s) that says of each judged row whether the rule applies."""
    role, asked, since = VERDICTS[kind]
    past = "WINDOW past AS (PARTITION BY s.key ORDER BY s.occurred_at)" if kind == Kind.AFTER else ""
    return f"""
        SELECT * FROM (
            SELECT s.*, s.role = {role} AND coalesce({asked}, false) AS applies, {since} AS since_at
            FROM ({source}) s {past}) s
        WHERE s.role = {role} AND {reach}"""


def judge(kind: str) -> str:
    """Return the statement that judges the keys told of and writes what changed; it returns alerts of both.

    Parameters: rule, minutes, count, keys, lows, highs.
    """
    source = f"""
        SELECT g.*, t.low, t.high
        FROM unnest(%(keys)s::text[], %(lows)s::timestamptz[], %(highs)s::timestamptz[]) AS t (key, low, high)
        JOIN customers_watchsighting g ON g.rule_id = %(rule)s AND g.key = t.key
            AND g.occurred_at BETWEEN t.low - {_WINDOW} AND t.high + {_WINDOW}"""
    return f"""
        WITH judged AS MATERIALIZED ({judged(kind, source, _REACH.get(Kind(kind), _FORWARD))}),
        fresh AS (
            INSERT INTO customers_watchfinding AS f (
                rule_id, message_id, key, since_at, occurred_at, customer_id, standing, muted)
            SELECT rule_id, message_id, key, since_at, occurred_at, customer_id, true, false
            FROM judged WHERE applies ORDER BY message_id
            ON CONFLICT (rule_id, message_id) DO UPDATE SET standing = true WHERE NOT f.standing
            RETURNING f.alert_id
        ), gone AS (
            UPDATE customers_watchfinding f SET standing = false FROM judged j
            WHERE f.rule_id = j.rule_id AND f.message_id = j.message_id AND f.standing AND NOT j.applies
            RETURNING f.alert_id
        )
        SELECT (SELECT count(*) FROM fresh),
            (SELECT array_agg(DISTINCT alert_id) FROM fresh WHERE alert_id IS NOT NULL),
            (SELECT array_agg(DISTINCT alert_id) FROM gone WHERE alert_id IS NOT NULL)"""


def see(rules: str, where: str) -> str:
    """Return the statement that writes sightings of the events chosen and returns the keys told of."""
    return SEE.format(sighted=SIGHTED.format(rules=rules, where=where))


def facts_of(rule: WatchRule) -> dict[str, Any]:
    """Return what the sentence about a rule is made of."""
    return {
        "kind": rule.kind,
        "first": rule.first,
        "second": rule.second,
        "unless": rule.unless,
        "scope": rule.scope,
        "properties": rule.properties,
        "count": rule.count,
        "minutes": rule.minutes,
    }
