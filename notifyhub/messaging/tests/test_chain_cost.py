"""What a look costs on a large ledger: rows visited, not seconds."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connection, reset_queries, transaction
from django.test.utils import CaptureQueriesContext

from notifyhub.core import crypto
from notifyhub.customers.tests.factories import make_topic
from notifyhub.messaging.engine import chain_sql
from notifyhub.messaging.engine.chain import look_at_due
from notifyhub.messaging.engine.counts import count_dispatches
from notifyhub.messaging.engine.reach import look_up_again
from notifyhub.messaging.models import Batch, Delivery, Dispatch
from notifyhub.messaging.tests.kit.chains import TWO_STEPS
from notifyhub.messaging.tests.kit.sending import assert_counts_are_the_ledger, dispatch_to
from notifyhub.messaging.tests.test_cost import _FILL as FILL
from notifyhub.messaging.tests.test_cost import PEOPLE, nodes

# What one statement looks at: twenty batches.
GROUP_ROWS = 20 * 500
# The message, the person's others, the customer, a hold, the consent of the next channel; and a comparison
# with each batch of the group.
PER_PERSON = 8 + 20

# A first step of a promotion, handed over to everybody two hours ago and not read.
_HANDED_OVER = """
INSERT INTO messaging_delivery (dispatch_id, id, customer_id, contact_id, dedup_key, step, channel, send_at,
                                settled_at, state)
SELECT %(dispatch)s, 10000000 + row_number() OVER (ORDER BY k.customer_id), k.customer_id, k.id,
       k.customer_id, 0, 'email', now() - interval '2 hours', now() - interval '2 hours', 20
FROM customers_contactpoint k;
INSERT INTO messaging_batch (dispatch_id, channel, priority, lo, hi, not_before, cursor, open_to, state,
    sent, watch, check_at)
SELECT %(dispatch)s, 'email', 1, lo, lo + 499, now(), lo + 499, lo + 499, 2, 500, TRUE,
       now() - interval '1 minute'
FROM generate_series(10000001, 10000000 + %(people)s, 500) lo;
INSERT INTO customers_consent (customer_id, topic_id, channel, decision, given_at)
SELECT customer_id, topic_id, 'sms', 'in', now() FROM customers_consent;
-- Not the ledger: of a dispatch that is being sent the database never has statistics in time.
ANALYZE customers_customer, customers_contactpoint, customers_consent, customers_hold, customers_suppression
"""


@pytest.fixture
def waiting(db: None) -> Dispatch:
    topic = make_topic()
    dispatch = dispatch_to(topic=topic, chain=TWO_STEPS)
    Dispatch.objects.filter(pk=dispatch.pk).update(state=Dispatch.State.RUNNING)
    with connection.cursor() as cursor:
        cursor.execute(
            FILL, {"people": PEOPLE, "topic": topic.pk, "value": crypto.encrypt("li@mail.example")}
        )
        cursor.execute(_HANDED_OVER, {"dispatch": dispatch.pk, "people": PEOPLE})
    dispatch.refresh_from_db()
    return dispatch


@contextmanager
def plans_of_looks() -> Iterator[list[dict[str, Any]]]:
    """Collect the plans of the looks within the block, as they were run."""
    found: list[dict[str, Any]] = []

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if chain_sql.LOOKED in sql:
            with transaction.atomic():
                execute("EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) " + sql, params, many, context)
                (plan,) = context["cursor"].fetchone()
                found.append((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
                transaction.set_rollback(True)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        yield found


def visited(plan: dict[str, Any]) -> float:
    """Return how many rows were read or compared, whatever became of them."""
    removed = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter")
    return sum(
        node["Actual Loops"] * sum(node.get(name, 0) for name in removed)
        for node in nodes(plan)
        if node["Node Type"] != "ModifyTable" and ("Relation Name" in node or "Join Filter" in node)
    )


def test_a_look_visits_a_handful_of_rows_per_person_whatever_the_ledger_holds(waiting: Dispatch) -> None:
    with plans_of_looks() as plans:
        look_at_due(seconds=0)
    (plan,) = plans
    large = {"customers_customer", "customers_contactpoint", "customers_consent", "customers_suppression"}
    for node in nodes(plan):
        name = node.get("Relation Name", "")
        if name in large or name.startswith("messaging_delivery"):
            assert node["Node Type"] != "Seq Scan" or not node["Actual Loops"], name
    assert visited(plan) <= PER_PERSON * GROUP_ROWS


def test_it_does_so_when_the_statistics_are_wrong_and_many_are_held(waiting: Dispatch) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE customers_hold SET scope = 'promotions', scope_value = ''")
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as other:
        # The database's own housekeeping, in the middle of it: it sees the pages and no row in them.
        other.execute("VACUUM (ANALYZE) messaging_delivery_0")
        other.execute("VACUUM (ANALYZE) messaging_batch")
    with plans_of_looks() as plans:
        look_until_done()
    # The index of the persons grows a storey higher than the primary key meanwhile.
    assert len(plans) == PEOPLE // GROUP_ROWS
    assert max(visited(plan) for plan in plans) <= PER_PERSON * GROUP_ROWS


def look_until_done() -> int:
    """Tick until a tick has nothing to look at; return how many batches it were."""
    looked = 0
    while now := look_at_due():
        looked += now
    return looked


def test_a_tick_looks_at_everybody_in_groups_and_the_numbers_close(waiting: Dispatch) -> None:
    assert look_until_done() == PEOPLE // 500
    rows = Delivery.objects.filter(dispatch_id=waiting.pk, step=1)
    # These customers have no phone: the row says so.
    assert set(rows.values_list("state", "reason")) == {(90, "no_contact")}
    assert rows.count() == PEOPLE
    assert_counts_are_the_ledger(waiting)
    counts = count_dispatches([waiting.pk])[waiting.pk]
    assert (counts.people, counts.planned, counts.checks_open) == (PEOPLE, 2 * PEOPLE, 0)
    assert look_up_again(waiting.pk) == (0, 0)


def test_the_statements_of_a_tick_do_not_grow_with_the_people_of_a_group(waiting: Dispatch) -> None:
    def spent(batches: int) -> int:
        later = Batch.objects.filter(dispatch=waiting, check_at__isnull=False).order_by("lo")[batches:]
        kept = dict(later.values_list("pk", "check_at"))
        Batch.objects.filter(pk__in=kept).update(check_at=None)
        reset_queries()
        with CaptureQueriesContext(connection) as queries:
            assert look_at_due() == batches
        for number, at in kept.items():
            Batch.objects.filter(pk=number).update(check_at=at)
        return len(queries)

    spent(1)  # It takes a block of ids for those who follow.
    assert spent(1) == spent(20)
