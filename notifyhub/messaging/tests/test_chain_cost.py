"""What a look costs on a large ledger: rows visited, not seconds."""

import json

import pytest
from django.db import connection, reset_queries
from django.test.utils import CaptureQueriesContext

from notifyhub.core import crypto
from notifyhub.customers.tests.factories import make_topic
from notifyhub.messaging.engine import chain
from notifyhub.messaging.engine.chain import look_at_due
from notifyhub.messaging.engine.counts import count_dispatches
from notifyhub.messaging.engine.reach import look_up_again
from notifyhub.messaging.models import Batch, Delivery, Dispatch
from notifyhub.messaging.tests.kit.chains import TWO_STEPS
from notifyhub.messaging.tests.kit.sending import assert_counts_are_the_ledger, dispatch_to
from notifyhub.messaging.tests.test_cost import _FILL as FILL
from notifyhub.messaging.tests.test_cost import PEOPLE, nodes

# A first step of a promotion, handed over to everybody two hours ago and not read.
_HANDED_OVER = """
INSERT INTO messaging_delivery (dispatch_id, id, customer_id, contact_id, dedup_key, step, channel, send_at,
                                settled_at, state)
SELECT %(dispatch)s, 10000000 + row_number() OVER (ORDER BY k.customer_id), k.customer_id, k.id,
       k.customer_id, 0, 'email', now() - interval '2 hours', now() - interval '2 hours', 20
FROM customers_contactpoint k;
INSERT INTO messaging_batch (dispatch_id, channel, priority, lo, hi, not_before, cursor, open_to, state,
    epoch, tries, owner, sent, failed, skipped, unknown, delivered, expired, cancelled, deferred, reasons,
    step, watch, check_at)
SELECT %(dispatch)s, 'email', 1, lo, lo + 499, now(), lo + 499, lo + 499, 2, 0, 0, '', 500, 0, 0, 0, 0, 0, 0,
       0, '{}', 0, TRUE, now() - interval '1 minute'
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


def test_a_look_visits_a_handful_of_rows_per_person_whatever_the_ledger_holds(waiting: Dispatch) -> None:
    batches = list(Batch.objects.filter(dispatch=waiting).order_by("lo").values_list("pk", flat=True)[:4])
    statement, values = chain._statement(waiting, 0)
    values |= {"batches": batches, "most": 500, "base": 10**12}
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) " + statement, values)
        (found,) = cursor.fetchone()
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    large = {"customers_customer", "customers_contactpoint", "customers_consent", "customers_suppression"}
    visited = 0.0
    for node in nodes(plan):
        name = node.get("Relation Name", "")
        if name in large or name.startswith("messaging_delivery"):
            assert node["Node Type"] != "Seq Scan" or not node["Actual Loops"], name
            if node["Node Type"] != "ModifyTable":
                visited += node["Actual Loops"] * (
                    node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                )
    # The message, the person's others, the customer, the consent of the next channel.
    assert visited <= 8 * 2000


def test_a_tick_looks_at_everybody_in_groups_and_the_numbers_close(waiting: Dispatch) -> None:
    assert look_at_due(seconds=60) == PEOPLE // 500
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
