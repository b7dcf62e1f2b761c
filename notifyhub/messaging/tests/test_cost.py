"""What a window costs on a large ledger: rows visited, not seconds."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from notifyhub.core import crypto
from notifyhub.customers.models import Customer
from notifyhub.customers.tests.factories import make_topic
from notifyhub.messaging.engine.asks import asks_of
from notifyhub.messaging.engine.lease import take_lease
from notifyhub.messaging.engine.limits import Cap, Limits
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.engine.reserve import Claim, give_back, reserve
from notifyhub.messaging.engine.window_sql import read_window, window_sql
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
        cursor.execute(
            "ANALYZE customers_customer, customers_contactpoint, customers_consent, customers_hold, "
            "customers_suppression"
        )
        made = dispatch_to(topic=topic)
        plan_dispatch(dispatch_id=made.pk)
        cursor.execute("ANALYZE messaging_delivery, messaging_batch, messaging_dispatch")
    return made


# What others were sent before: every customer again and again, over many dispatches and days.
_LEDGER = """
INSERT INTO messaging_delivery (dispatch_id, id, customer_id, dedup_key, step, channel, send_at, state)
SELECT %(dispatch)s + 1 + n / 50000, 900000000 + n, 1 + (n::bigint * 7919) %% %(people)s + %(first)s, n, 0,
       'email', now(), 20
FROM generate_series(%(low)s::int, %(high)s::int) n
"""
# The week of everybody, which a cap looks at as a whole; then what it does not: older days, other subjects.
_WEEK = """
INSERT INTO messaging_sendday (customer_id, day, respects, used, at)
SELECT n + %(first)s, current_date - d, ARRAY[hashint8extended(n, d), 1], ARRAY[1, 1], ARRAY[now(), now()]
FROM generate_series(1, %(people)s) n, generate_series(1, 6) d
"""
_COUNTERS = """
INSERT INTO messaging_sendday (customer_id, subject, day, respects, used, at)
SELECT 1 + n %% %(people)s + %(first)s, CASE WHEN k %% 2 = 0 THEN 0 ELSE hashint8extended(k, 7) END,
       current_date - CASE WHEN k %% 2 = 0 THEN 8 + k ELSE k END, ARRAY[k], ARRAY[1], ARRAY[now()]
FROM generate_series(%(low)s::int, %(high)s::int) n, LATERAL (SELECT n / %(people)s AS k) older
"""
SMALL, LARGE = 10_000, 1_000_000


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


def explained(statement: str, params: Any) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) " + statement, params)
        (found,) = cursor.fetchone()
    plan: dict[str, Any] = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return plan


def cost_of(statements: list[tuple[str, Any]]) -> tuple[float, float]:
    """Return (rows visited, pages touched) by these statements, and take back what they wrote."""
    rows = pages = 0.0
    with transaction.atomic():
        for statement, params in statements:
            plan = explained(statement, params)
            pages += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
            for node in nodes(plan):
                if "Relation Name" in node:
                    rows += node["Actual Loops"] * (
                        node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                    )
        transaction.set_rollback(True)
    return rows, pages


def statements_of(work: Callable[[], object]) -> list[tuple[str, Any]]:
    """Return the statements that `work` runs, undone."""
    found: list[tuple[str, Any]] = []

    def keep(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        found.append((sql, params))
        return execute(sql, params, many, context)

    with transaction.atomic():
        with connection.execute_wrapper(keep):
            work()
        transaction.set_rollback(True)
    return [one for one in found if "messaging_sendday" in one[0]]


def test_gates_and_counters_cost_the_same_on_ten_thousand_rows_and_on_a_million(dispatch: Dispatch) -> None:
    taken = take_lease(owner="x", priority=1, seconds=60, window=TAKE, blocked=[])
    assert taken is not None
    window = [window_sql(taken.batches, take=TAKE)]
    limits = Limits(
        caps=(Cap(respect=1, day=3, week=10), Cap(respect=2, channel="email", day=1, week=4)),
        duplicate_hours=24,
        gap_hours=20,
        subject_max=5,
    )
    asks = asks_of(limits, subject_ref="bill:7", text=3)
    now = timezone.now()
    claims = [
        Claim(customer_id=row["person_id"], day=now.date(), asks=asks)
        for row in read_window(taken.batches, take=TAKE)
    ]
    counting = statements_of(lambda: reserve(claims, moment=now))
    returned = statements_of(lambda: give_back([t for one in reserve(claims, moment=now) for t in one]))  # type: ignore[union-attr]
    assert len(counting) == 2
    assert len(returned) == 3
    first = Customer.objects.order_by("pk").values_list("pk", flat=True)[0] - 1
    costs = []
    filled = 0
    with connection.cursor() as cursor:
        cursor.execute(_WEEK, {"people": PEOPLE, "first": first})
    for size in (SMALL, LARGE):
        with connection.cursor() as cursor:
            values = {
                "dispatch": dispatch.pk,
                "people": PEOPLE,
                "first": first,
                "low": filled,
                "high": size - 1,
            }
            cursor.execute(_LEDGER, values)
            cursor.execute(_COUNTERS, values)
            cursor.execute("ANALYZE messaging_delivery, messaging_sendday")
        filled = size
        costs.append((*cost_of(window), *cost_of(returned)))
    small, large = costs
    # The rows are the same ones; the trees over a hundred times as many are a page or two higher.
    assert large[0] <= small[0] * 1.1
    assert large[2] <= small[2] * 1.1
    assert large[1] <= small[1] * 1.6
    assert large[3] <= small[3] * 1.6
