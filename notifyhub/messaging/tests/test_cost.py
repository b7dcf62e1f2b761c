"""What a window costs on a large ledger: rows visited, not seconds."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from notifyhub.core import crypto
from notifyhub.customers.tests.factories import make_topic
from notifyhub.messaging.engine.lease import take_lease
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.engine.window_sql import window_sql
from notifyhub.messaging.models import Batch, Dispatch
from notifyhub.messaging.tests.kit.sending import dispatch_to, drain, memory_account, states

pytestmark = pytest.mark.django_db

PEOPLE = 30_000
TAKE = 100

# Customers with their rows, made by the database: the crypto of each contact point is not looked at here.
_FILL = """
INSERT INTO customers_customer (public_id, external_id, name, locale, time_zone, city, attributes, tags,
    provisional, state, created_at, updated_at, version)
SELECT gen_random_uuid(), 'L' || n, 'L' || n, 'en', 'UTC', '', '{}', '{}', FALSE, 'active', now(), now(), 1
FROM generate_series(1, %(people)s) n;
INSERT INTO customers_contactpoint (customer_id, kind, value, value_hash, last4, masked, "primary", valid,
    invalid_reason, key_id, created_at)
SELECT id, 'email', %(value)s, decode(md5(id::text), 'hex'), '', '***', TRUE, TRUE, '', 'k1', now()
FROM customers_customer;
INSERT INTO customers_consent (customer_id, topic_id, channel, decision, given_at)
SELECT id, %(topic)s, 'email', 'in', now() FROM customers_customer;
INSERT INTO customers_hold (customer_id, scope, scope_value, reason, origin_kind, origin_id, placed_at)
SELECT id, 'subject', 'order:' || id, 'Disputed', 'staff', '', now() FROM customers_customer
WHERE id %% 3 = 0;
INSERT INTO customers_suppression (kind, value_hash, masked, scope, reason, note, created_at)
SELECT 'email', decode(md5('x' || n), 'hex'), '***', 'all', 'manual', '', now()
FROM generate_series(1, 20000) n;
"""


@pytest.fixture
def dispatch() -> Dispatch:
    topic = make_topic()
    with connection.cursor() as cursor:
        cursor.execute(
            _FILL,
            {"people": PEOPLE, "topic": topic.pk, "value": crypto.encrypt("li@mail.example")},
        )
        made = dispatch_to(topic=topic)
        plan_dispatch(dispatch_id=made.pk)
        cursor.execute(
            "ANALYZE customers_customer, customers_contactpoint, customers_consent, customers_hold, "
            "customers_suppression, messaging_delivery, messaging_batch, messaging_dispatch"
        )
    return made


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def test_the_gates_visit_a_handful_of_rows_per_message_whatever_the_ledger_holds(dispatch: Dispatch) -> None:
    Batch.objects.filter(pk=Batch.objects.filter(dispatch=dispatch).order_by("lo")[30].pk).update(
        not_before=timezone.now() - timedelta(days=1)
    )
    taken = take_lease(owner="x", priority=1, seconds=60, window=TAKE, blocked=[])
    assert taken is not None
    statement, params = window_sql(taken.batches, take=TAKE)
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) " + statement, params)
        (found,) = cursor.fetchone()
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    assert plan["Actual Rows"] == TAKE
    large = {"customers_customer", "customers_contactpoint", "customers_consent", "customers_suppression"}
    visited = 0.0
    for node in nodes(plan):
        name = node.get("Relation Name", "")
        if name in large or name.startswith("messaging_delivery"):
            assert node["Node Type"] != "Seq Scan" or not node["Actual Loops"], name
            visited += node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
    # The message, its customer, its contact point, its consent: nothing that grows with the tables.
    assert visited <= 5 * TAKE


def test_settling_stays_hot(dispatch: Dispatch) -> None:
    memory_account()
    Batch.objects.filter(dispatch=dispatch, pk__gt=Batch.objects.order_by("pk")[3].pk).update(
        not_before=timezone.now() + timedelta(days=1)
    )
    drain()
    assert states(dispatch)["sent"] >= 1500
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(
            "SELECT sum(n_tup_hot_upd), sum(n_tup_upd) FROM pg_stat_xact_user_tables "
            "WHERE relname LIKE 'messaging_delivery\\_%%'"
        )
        hot, updated = cursor.fetchone()
    assert updated >= 1500
    assert hot / updated >= 0.8
