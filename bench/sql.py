"""Filling the database with customers and a ledger: sets made by the database, not rows made here."""

CUSTOMERS = """
INSERT INTO customers_customer (public_id, external_id, name, locale, time_zone, city, attributes, tags,
    provisional, state, last_order_at, created_at, updated_at, version)
SELECT gen_random_uuid(), 'B' || n, '客户' || n, 'zh-hans', 'Asia/Shanghai',
       CASE WHEN n %% 3 = 0 THEN '上海' WHEN n %% 7 = 0 THEN '杭州' ELSE '城市' || n %% 200 END,
       jsonb_build_object('level', (ARRAY['gold', 'silver', 'basic'])[n %% 3 + 1], 'points', n %% 5000),
       CASE WHEN n %% 100 = 0 THEN ARRAY['vip', 'hotel'] WHEN n %% 2 = 0 THEN ARRAY['hotel'] ELSE '{}' END,
       FALSE, 'active', now() - n %% 400 * interval '1 day', now(), now(), 1
FROM generate_series(%(first)s::bigint, %(last)s::bigint) n
"""

# Addresses are encrypted one by one as they are by an import; a thousand different ones are enough here.
CONTACTS = """
INSERT INTO customers_contactpoint (customer_id, kind, value, value_hash, last4, masked, "primary", valid,
    invalid_reason, key_id, created_at)
SELECT id, 'email', (%(values)s::bytea[])[id %% 1000 + 1], decode(md5(id::text), 'hex'), '',
       'c***@mail.example', TRUE, id %% 50 <> 0, '', %(key)s, now()
FROM customers_customer WHERE id %% 20 <> 0
"""

CONSENTS = """
INSERT INTO customers_consent (customer_id, topic_id, channel, decision, given_at)
SELECT id, %(topic)s, 'email', CASE WHEN id %% 10 = 0 THEN 'out' ELSE 'in' END, now() FROM customers_customer
WHERE id %% 6 <> 0
"""

HOLDS = """
INSERT INTO customers_hold (customer_id, scope, scope_value, reason, origin_kind, origin_id, placed_at)
SELECT id, CASE WHEN id %% 2 = 0 THEN 'promotions' ELSE 'subject' END,
       CASE WHEN id %% 2 = 0 THEN '' ELSE 'order:' || id END, 'Complaint', 'staff', '', now()
FROM customers_customer WHERE id %% 50 IN (7, 8)
"""

SUPPRESSIONS = """
INSERT INTO customers_suppression (kind, value_hash, masked, scope, reason, note, created_at)
SELECT 'email', decode(md5(id::text), 'hex'), '***', CASE WHEN id %% 2 = 0 THEN 'all' ELSE 'promotional' END,
       'hard_bounce', '', now()
FROM customers_customer WHERE id %% 100 IN (3, 4)
"""

# Each third customer was written to this week, and one in fifty as often as the cap allows.
COUNTERS = """
INSERT INTO messaging_sendday (customer_id, subject, day, respects, used, at)
SELECT c.id, 0, d.day, t.respects, array_fill(
           (CASE WHEN c.id %% 51 = 0 AND d.day = CURRENT_DATE THEN %(cap)s ELSE 1 END)::smallint, ARRAY[2]),
       ARRAY[d.day, d.day]::timestamptz[]
FROM customers_customer c,
     (SELECT array_agg(('x' || left(md5(one), 16))::bit(64)::bigint)
      FROM unnest(ARRAY['cap:promotional:', 'cap:promotional:email']) AS one) AS t(respects),
     (VALUES (CURRENT_DATE), (CURRENT_DATE - 3)) AS d(day)
WHERE c.id %% 3 = 0
"""

MEMBERS = """
INSERT INTO customers_segmentmember (segment_id, customer_id)
SELECT %(segment)s, id FROM customers_customer WHERE id > %(after)s ORDER BY id LIMIT %(people)s
"""

# Dispatches like one that exists, finished long ago; then their messages, as many each.
OLD_DISPATCHES = """
INSERT INTO messaging_dispatch ({columns})
SELECT {values} FROM messaging_dispatch j, generate_series(1, %(dispatches)s) n WHERE j.id = %(like)s
RETURNING id
"""
OLD_MESSAGES = """
INSERT INTO messaging_delivery (dispatch_id, id, customer_id, contact_id, dedup_key, channel, state, reason,
    tries, send_at, settled_at)
SELECT %(dispatch)s, %(base)s + n, %(after)s + n, NULL, n, 'email',
       CASE WHEN n %% 4 = 0 THEN 90 WHEN n %% 97 = 0 THEN 30 ELSE 20 END,
       CASE WHEN n %% 4 = 0 THEN 'no_consent' WHEN n %% 97 = 0 THEN 'rejected' ELSE '' END, 1, now(), now()
FROM generate_series(1, %(rows)s) n
"""
READY_BATCHES = """
INSERT INTO messaging_batch ({columns})
SELECT {values} FROM messaging_batch b, unnest(%(dispatches)s::bigint[]) AS d(id) WHERE b.id = %(like)s
"""


def copied(model: type, changes: dict[str, str], *, alias: str) -> dict[str, str]:
    """Return the `columns` and `values` that copy a row of `model`, whatever columns it has by now."""
    names = [one.column for one in model._meta.concrete_fields if not one.primary_key]  # type: ignore[attr-defined]
    return {
        "columns": ", ".join(f'"{name}"' for name in names),
        "values": ", ".join(changes.get(name, f'{alias}."{name}"') for name in names),
    }
