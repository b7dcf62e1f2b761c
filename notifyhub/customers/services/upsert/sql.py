"""The statements of the upsert. `{people}` and `{contacts}` are the staged rows (see staging)."""

# On tables that an import is just filling there are no statistics yet, and the planner would read the
# whole table for each chunk.
PLAN_BY_INDEX = "SET LOCAL enable_seqscan = off; SET LOCAL enable_mergejoin = off"
PLAN_FREELY = "SET LOCAL enable_seqscan TO DEFAULT; SET LOCAL enable_mergejoin TO DEFAULT"

# Whoever may create customers queues here until the end of the transaction, so that nobody is created
# twice (phones are not unique) and updates of many rows cannot deadlock. Held by the transaction, never by
# the session: it works through a pooler.
LOCK = "SELECT pg_advisory_xact_lock(hashtext('notifyhub.customers.upsert'))"

NUMBERS = """
SELECT nextval(pg_get_serial_sequence('customers_customer', 'id')) FROM generate_series(1, %s)
"""

CREATE = """
INSERT INTO customers_customer (
    id, public_id, external_id, name, locale, time_zone, city, attributes, tags, provisional,
    state, created_at, updated_at, version)
SELECT i.customer_id, gen_random_uuid(), i.external_id, coalesce(i.name, ''), coalesce(i.locale, %s),
    coalesce(i.time_zone, %s), coalesce(i.city, ''), coalesce(i.attributes::jsonb, '{{}}'),
    coalesce(string_to_array(i.tags, E'\\x1f'), '{{}}'), i.provisional, 'active', now(), now(), 1
FROM {people} i WHERE i.fresh
"""

# A customer has one phone; the one that is replaced stays beside it. Before the insert, since the unique
# index on primary contact points is checked at once.
DEMOTE = """
UPDATE customers_contactpoint p SET "primary" = false
FROM {contacts} k
WHERE k.is_primary AND p.customer_id = k.customer_id AND p.kind = k.kind
    AND p."primary" AND p.value_hash <> k.value_hash
RETURNING p.customer_id
"""

CONTACTS = """
INSERT INTO customers_contactpoint AS own (
    customer_id, kind, value, value_hash, last7_hash, last4, masked, "primary",
    valid, invalid_reason, key_id, created_at)
SELECT k.customer_id, k.kind, k.value, k.value_hash, k.last7_hash, k.last4, k.masked, k.is_primary,
    true, '', %s, now()
FROM {contacts} k
WHERE NOT EXISTS (
    SELECT 1 FROM customers_contactpoint p
    WHERE p.customer_id = k.customer_id AND p.kind = k.kind AND p.value_hash = k.value_hash
        AND (p."primary" OR NOT k.is_primary))
ON CONFLICT (customer_id, kind, value_hash) DO UPDATE SET "primary" = own."primary" OR excluded."primary"
RETURNING customer_id
"""

# An attribute whose text is the same counts as the same, so a number that came back from a file as "3"
# stays a number.
_NEWS = """
    coalesce((SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(i.attributes::jsonb) e
        WHERE c.attributes ->> e.key IS DISTINCT FROM e.value #>> '{{}}'), '{{}}')
"""
_TAGS = "string_to_array(i.tags, E'\\x1f')::varchar[]"

CHANGE = f"""
UPDATE customers_customer c SET
    external_id = coalesce(c.external_id, i.external_id),
    name = coalesce(i.name, c.name),
    locale = coalesce(i.locale, c.locale),
    time_zone = coalesce(i.time_zone, c.time_zone),
    city = coalesce(i.city, c.city),
    tags = CASE WHEN i.tags IS NULL THEN c.tags
        ELSE c.tags || ARRAY(SELECT t FROM unnest({_TAGS}) t WHERE t <> ALL (c.tags)) END,
    attributes = CASE WHEN i.attributes IS NULL THEN c.attributes ELSE c.attributes || {_NEWS} END,
    provisional = c.provisional AND i.provisional,
    version = c.version + 1,
    updated_at = now()
FROM {{people}} i
WHERE c.id = i.customer_id AND NOT i.fresh AND (
    c.id = ANY (%s)
    OR (c.external_id IS NULL AND i.external_id IS NOT NULL)
    OR i.name <> c.name OR i.locale <> c.locale OR i.time_zone <> c.time_zone OR i.city <> c.city
    OR (c.provisional AND NOT i.provisional)
    OR NOT c.tags @> {_TAGS}
    OR (i.attributes IS NOT NULL AND {_NEWS} <> '{{{{}}}}'))
RETURNING c.id
"""
