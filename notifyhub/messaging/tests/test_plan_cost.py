"""What planning costs while the database does not know a dispatch yet: rows visited, not seconds."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from notifyhub.customers.tests.factories import make_topic
from notifyhub.messaging.engine.plan_sql import Gates, judged_sql

pytestmark = pytest.mark.django_db

PEOPLE = 2_000
OLD, NEW = 1, 2

# Each tenth of the second half shares the address of somebody in the first half.
_FILL = """
INSERT INTO customers_customer (public_id, external_id, name, locale, time_zone, city, attributes, tags,
    provisional, state, created_at, updated_at, version)
SELECT gen_random_uuid(), 'P' || n, 'P' || n, 'en', 'UTC', '', '{}', '{}', FALSE, 'active', now(), now(), 1
FROM generate_series(1, %(people)s) n;
INSERT INTO customers_contactpoint (customer_id, kind, value, value_hash, last4, masked, "primary", valid,
    invalid_reason, key_id, created_at)
SELECT id, 'email', '\\x00', decode(md5((CASE WHEN place > %(half)s AND place %% 10 = 0
                                             THEN place - %(half)s ELSE place END)::text), 'hex'),
       '', '***', TRUE, TRUE, '', 'k1', now()
FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM customers_customer) AS c;
INSERT INTO customers_consent (customer_id, topic_id, channel, decision, given_at)
SELECT id, %(topic)s, 'email', 'in', now() FROM customers_customer;
"""
_PLANNED = """
INSERT INTO messaging_delivery (dispatch_id, id, customer_id, contact_id, dedup_key, channel, send_at)
SELECT %(dispatch)s, %(dispatch)s * 50000 + customer_id, customer_id, id, customer_id, 'email', now()
FROM customers_contactpoint WHERE customer_id <= %(last)s
"""


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def test_a_later_range_is_planned_by_look_ups_though_the_dispatch_is_new_to_the_database() -> None:
    topic = make_topic()
    with connection.cursor() as cursor:
        cursor.execute(_FILL, {"people": PEOPLE, "half": PEOPLE // 2, "topic": topic.pk})
        cursor.execute("SELECT min(id), max(id) FROM customers_customer")
        first, last = cursor.fetchone()
        middle = first + PEOPLE // 2 - 1
        cursor.execute(_PLANNED, {"dispatch": OLD, "last": last})
        cursor.execute("ANALYZE customers_customer, customers_contactpoint, customers_consent")
        cursor.execute("ANALYZE messaging_delivery")
        # From here on the database knows of the old dispatch only.
        cursor.execute(_PLANNED, {"dispatch": NEW, "last": middle})
        gates = Gates(
            message_class="promotional",
            channels=(("email", ""),),
            audience="TRUE",
            topic_id=topic.pk,
            topic_code=topic.code,
            dispatch_id=NEW,
        )
        judged, params = judged_sql(gates, low=middle, high=last, earlier=True)
        cursor.execute(
            f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {judged} SELECT reason FROM judged", params
        )
        (found,) = cursor.fetchone()
        cursor.execute(f"{judged} SELECT reason, count(*) FROM judged GROUP BY reason", params)
        reasons = dict(cursor.fetchall())
    assert reasons == {"": PEOPLE // 2 - PEOPLE // 20, "duplicate_contact": PEOPLE // 20}
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    visited = sum(
        node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for node in nodes(plan)
        if node.get("Relation Name", "").startswith("messaging_delivery")
    )
    assert visited <= PEOPLE


def test_rare_events_are_found_by_their_kind_among_many_that_say_sent() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO messaging_deliveryevent (at, dispatch_id, delivery_id, kind) "
            "SELECT now(), 1, n, CASE WHEN n = 7 THEN 'unknown' ELSE 'sent' END "
            "FROM generate_series(1, 5000) n"
        )
        cursor.execute("ANALYZE messaging_deliveryevent")
        for wanted in ("kind = 'unknown'", "kind = k AND kind <> 'sent'"):
            cursor.execute(
                "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) SELECT e.* FROM unnest(ARRAY['unknown']) k, "
                f"LATERAL (SELECT * FROM messaging_deliveryevent WHERE {wanted} "
                "AND at >= now() - interval '1 day' LIMIT 10) e"
            )
            (found,) = cursor.fetchone()
            plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
            assert plan["Actual Rows"] == 1
            assert sum(node.get("Rows Removed by Filter", 0) for node in nodes(plan)) == 0
