"""Prepared statements behave like Django's own, and their plans look rows up."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DataError, NotSupportedError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifyhub.customers.tests.factories import make_topic
from notifyhub.messaging.engine.child import in_child
from notifyhub.messaging.engine.lease import take_lease
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.engine.statements import prepared
from notifyhub.messaging.engine.transport import Transport
from notifyhub.messaging.engine.window_sql import read_window
from notifyhub.messaging.engine.worker import Worker
from notifyhub.messaging.models import Batch
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.tests.kit.sending import dispatch_to, drain, make_recipients, memory_account, states

ADD = "SELECT %(a)s::bigint + %(b)s::bigint"


def add(a: int, b: int) -> int:
    with prepared() as cursor:
        cursor.execute(ADD, {"a": a, "b": b})
        return int(cursor.fetchone()[0])


def kept(text: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_prepared_statements WHERE position(%s IN statement) > 0", [text]
        )
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_numbers_of_any_size_share_one_statement() -> None:
    connection.close()
    assert [add(1, 2), add(70_000, 1), add(5_000_000_000, -1)] == [3, 70_001, 4_999_999_999]
    assert kept("$1::bigint + $2::bigint") == 1


@pytest.mark.django_db(transaction=True)
def test_what_it_writes_belongs_to_the_transaction() -> None:
    topic = make_topic()
    before = topic.name
    with transaction.atomic():
        with prepared() as cursor:
            cursor.execute("UPDATE customers_topic SET name = %(name)s::text", {"name": "Other"})
        topic.refresh_from_db()
        assert topic.name == "Other"
        transaction.set_rollback(True)
    topic.refresh_from_db()
    assert topic.name == before


@pytest.mark.django_db(transaction=True)
def test_errors_are_those_of_django_and_the_next_statement_works() -> None:
    with pytest.raises(DataError), prepared() as cursor:
        cursor.execute("SELECT 1 / %(a)s::bigint", {"a": 0})
    assert add(1, 1) == 2


@pytest.mark.django_db(transaction=True)
def test_a_lost_or_closed_connection_is_followed_by_a_new_one() -> None:
    assert add(1, 1) == 2
    with pytest.raises(OperationalError), prepared() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    connection.close()
    assert add(1, 2) == 3
    connection.close()
    assert add(1, 3) == 4
    with connection.cursor() as cursor:
        cursor.execute("SHOW plan_cache_mode")
        assert cursor.fetchone()[0] == "force_generic_plan"


@pytest.mark.django_db(transaction=True)
def test_a_child_outlives_a_migration_that_changes_what_a_statement_returns() -> None:
    def look(worker: Worker) -> Any:
        with prepared() as cursor:
            cursor.execute("SELECT kind FROM probe")
            return cursor.fetchone()[0]

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE probe AS SELECT 1 AS kind")
    try:
        assert in_child(look) == 1
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE probe ALTER kind TYPE text")
        with pytest.raises(NotSupportedError):
            in_child(look)
        assert in_child(look) == "1"
    finally:
        in_child(lambda worker: connection.close())
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE probe")


@pytest.mark.django_db
def test_they_are_seen_in_the_log_of_queries() -> None:
    with CaptureQueriesContext(connection) as captured:
        add(1, 2)
    assert len(captured) == 1


@pytest.mark.django_db(transaction=True)
def test_windows_are_sent_by_a_few_statements_that_stay() -> None:
    connection.close()
    memory_account()
    make_recipients(*["auto"] * 12)
    first = dispatch_to()
    drain()
    known = kept("messaging_")
    second = dispatch_to(text={"subject": "Rice", "body": "Half price tomorrow"})
    drain()
    assert states(first)["sent"] == states(second)["sent"] == 12
    assert 0 < known <= 20
    assert kept("messaging_") == known


@pytest.mark.django_db
def test_the_plan_for_all_windows_looks_up_the_rows_of_one() -> None:
    topic = make_topic()
    make_recipients(*["auto"] * 40, topic=topic)
    dispatch = dispatch_to(topic=topic)
    plan_dispatch(dispatch_id=dispatch.pk)
    with connection.cursor() as cursor:
        # More rows of other dispatches and of nobody's than a sequential scan would be worth.
        cursor.execute(
            "INSERT INTO messaging_delivery (dispatch_id, id, customer_id, contact_id, dedup_key, channel, "
            "send_at) SELECT 9, n, n, n, n, 'email', now() FROM generate_series(1, 20000) n"
        )
        cursor.execute("ANALYZE messaging_delivery")
    Batch.objects.update(not_before=timezone.now() - timedelta(minutes=1))
    lease = take_lease(owner="x", priority=1, seconds=60, window=20, blocked=[])
    assert lease is not None
    read_window(lease.batches, take=20)
    before = visited()
    assert len(read_window(lease.batches, take=20)) == 20
    assert visited() - before <= 20


@pytest.mark.django_db(transaction=True)
def test_a_plan_made_while_the_ledger_was_small_looks_rows_up_when_it_is_large() -> None:
    connection.close()
    memory_account()
    make_recipients(*["auto"] * 40)
    dispatch_to()
    drain()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE messaging_delivery")
    connection.close()
    dispatch_to(text={"subject": "Rice", "body": "Half price tomorrow"})
    drain()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO messaging_delivery (dispatch_id, id, customer_id, contact_id, dedup_key, channel, "
            "send_at) SELECT 9, n, n, n, n, 'email', now() FROM generate_series(1000000, 1020000) n"
        )
    third = dispatch_to(text={"subject": "Soup", "body": "Half price on Sunday"})
    plan_dispatch(dispatch_id=third.pk)
    before = visited("pg_stat_user_tables")
    drain()
    assert states(third)["sent"] == 40
    # A window of forty reads all twenty thousand forty times where its plan reads the whole table.
    assert visited("pg_stat_user_tables") - before <= 25_000


@pytest.mark.parametrize("accepted", ["after", "before"])
@pytest.mark.django_db(transaction=True)
def test_a_campaign_right_after_a_few_messages_looks_its_rows_up_too(accepted: str) -> None:
    """Whichever of the two was accepted first: a scheduled one may be the older and begin later."""
    connection.close()
    memory_account()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE messaging_delivery")
    people = make_recipients(*["auto"] * 100)
    transport = Transport()
    # Few enough that the ledger has a page, and as many as a window of this worker.
    worker = Worker(transport, window=20)
    campaign = {"text": {"subject": "Rice", "body": "Half price tomorrow"}}
    try:
        large = dispatch_to(**campaign) if accepted == "before" else None
        plan_dispatch(dispatch_id=dispatch_to(people[:20]).pk)
        assert worker.drain(priority=Priority.BULK, seconds=5) == 20
        large = large or dispatch_to(**campaign)
        plan_dispatch(dispatch_id=large.pk)
        with connection.cursor() as cursor:
            # Many more of the same campaign, ended already.
            cursor.execute(
                "INSERT INTO messaging_delivery (dispatch_id, id, customer_id, dedup_key, channel, state, "
                "send_at) SELECT %s, n, n, -n, 'email', 90, now() FROM generate_series(1000000, 1005000) n",
                [large.pk],
            )
        before = visited("pg_stat_user_tables")
        assert worker.drain(priority=Priority.BULK, seconds=5) == 100
    finally:
        transport.close()
    # Looked up they are a few hundred; a plan that reads all of the campaign reads it for every window.
    assert visited("pg_stat_user_tables") - before <= 5_000


def visited(stats: str = "pg_stat_xact_user_tables") -> int:
    """Return how many rows of the ledger were looked at, in this transaction or ever."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(
            f"SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM {stats} "
            "WHERE relname LIKE 'messaging_delivery\\_%%'"
        )
        return int(cursor.fetchone()[0])
