"""Who is served next: classes apart, dispatches in turn, none starved, and the turn costs the same at any
number of live dispatches."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from notifyhub.messaging.engine import lease as leasing
from notifyhub.messaging.engine.bells import planning_queue
from notifyhub.messaging.engine.lease import take_lease
from notifyhub.messaging.models import Batch, Dispatch
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.services.dispatches import Item, create_dispatch
from notifyhub.messaging.tests.factories import make_dispatch
from notifyhub.messaging.tests.kit.broker import broker
from notifyhub.messaging.tests.kit.sending import dispatch_to, make_recipients, memory_account, states, work

MINUTE = timedelta(minutes=1)


def with_batches(count: int, *, due: timedelta = -MINUTE, **fields: Any) -> Dispatch:
    """Return a running dispatch with so many batches that nobody has taken yet."""
    dispatch = make_dispatch(text="{}", priority=Priority.BULK, **fields)
    Batch.objects.bulk_create(
        Batch(
            dispatch=dispatch,
            channel="email",
            priority=Priority.BULK,
            lo=n * 100,
            hi=n * 100 + 99,
            cursor=n * 100 - 1,
            open_to=n * 100 - 1,
            not_before=timezone.now() + due,
        )
        for n in range(count)
    )
    return dispatch


def next_served() -> int | None:
    """Lease once; return whose batch that was."""
    taken = take_lease(owner="host:1:a", priority=1, seconds=60, window=100, blocked=[])
    return taken.batches[0].dispatch_id if taken else None


@pytest.mark.django_db
def test_a_large_dispatch_does_not_starve_a_small_one() -> None:
    large = with_batches(50)
    assert [next_served() for _ in range(5)] == [large.pk] * 5
    small = with_batches(2)
    assert [next_served() for _ in range(5)] == [small.pk, large.pk, small.pk, large.pk, large.pk]


@pytest.mark.django_db
def test_many_dispatches_take_strict_turns() -> None:
    made = [with_batches(3) for _ in range(7)]
    rounds = [[next_served() for _ in made] for _ in range(3)]
    assert rounds == [[one.pk for one in made]] * 3
    assert next_served() is None


def idle_crowd(count: int) -> None:
    """Make dispatches that wait for tomorrow and stand first in the turn."""
    model = make_dispatch(text="{}", served_at=timezone.now() - timedelta(days=2))
    rows = Dispatch.objects.bulk_create(
        Dispatch(
            title="Idle",
            origin_kind="test",
            message_class="promotional",
            priority=Priority.BULK,
            text="{}",
            chain=model.chain,
            audience=model.audience,
            state=Dispatch.State.RUNNING,
            send_at=model.send_at,
            served_at=timezone.now() - timedelta(days=1),
        )
        for _ in range(count)
    )
    tomorrow = timezone.now() + timedelta(days=1)
    Batch.objects.bulk_create(
        Batch(
            dispatch=one,
            channel="email",
            priority=Priority.BULK,
            lo=1,
            hi=1,
            cursor=0,
            open_to=0,
            not_before=tomorrow,
        )
        for one in rows
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE messaging_dispatch; ANALYZE messaging_batch")


def pages_of_a_lease() -> int:
    values = {"owner": "host:1:a", "seconds": 60, "window": 100, "blocked": []}
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {leasing._LEASE_BULK}", values)
        (found,) = cursor.fetchone()
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


@pytest.mark.django_db
def test_the_turn_costs_the_same_at_any_number_of_live_dispatches() -> None:
    idle_crowd(300)
    wanted = [with_batches(40, served_at=timezone.now()) for _ in range(2)]
    few = pages_of_a_lease()
    idle_crowd(1500)
    many = pages_of_a_lease()
    assert many < 2 * few
    # The lease under EXPLAIN was a lease, so the two have had two turns; and so on in turns.
    assert Counter(next_served() for _ in range(10)) == {one.pk: 5 for one in wanted}


@pytest.mark.django_db
def test_paused_and_paced_dispatches_are_passed_over() -> None:
    with_batches(2, state=Dispatch.State.PAUSED)
    with_batches(2, next_at=timezone.now() + MINUTE, rate_per_second=1)
    with_batches(2, due=MINUTE)
    due = with_batches(1)
    assert [next_served(), next_served()] == [due.pk, None]


@pytest.mark.django_db(transaction=True)
def test_a_rate_is_one_rate_for_workers_that_lease_at_the_same_moment() -> None:
    dispatch = with_batches(40, rate_per_second=1)

    def lease_once(_: int) -> int:
        try:
            return 1 if next_served() else 0
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lease_once, range(32))) == 1
    dispatch.refresh_from_db()
    assert dispatch.next_at is not None


@pytest.mark.django_db(transaction=True)
def test_workers_that_lease_at_the_same_moment_share_one_dispatch() -> None:
    dispatch = with_batches(40)

    def lease_some(_: int) -> list[int]:
        try:
            taken = [
                take_lease(owner="host:1:a", priority=1, seconds=60, window=100, blocked=[]) for _ in range(5)
            ]
            return [one.batches[0].id for one in taken if one]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        ids = [number for group in pool.map(lease_some, range(4)) for number in group]
    assert len(ids) == len(set(ids)) == 20
    assert Batch.objects.filter(dispatch=dispatch, state=Batch.State.LEASED).count() == 20


@pytest.mark.parametrize(
    ("priority", "kind", "queue"),
    [
        (Priority.REALTIME, "items", "realtime"),
        (Priority.REALTIME, "rule", "bulk"),
        (Priority.BULK, "items", "bulk"),
        (Priority.BULK, "rule", "bulk"),
    ],
)
def test_planning_has_its_queue(priority: int, kind: str, queue: str) -> None:
    assert planning_queue(priority, {"kind": kind}) == queue


@pytest.mark.django_db(transaction=True)
def test_a_large_realtime_dispatch_is_planned_by_the_realtime_workers(tmp_path: Path) -> None:
    memory_account()
    customer, other = make_recipients("auto", "auto")
    with broker(tmp_path) as server:
        items = [Item(item=n, customer_id=customer.pk, subject_ref=f"order:{n}") for n in range(150)]
        facts: dict[str, Any] = {"title": "Codes", "origin_kind": "test", "message_class": "transactional"}
        dispatch = create_dispatch(
            **facts,
            chain=[{"channel": "email"}],
            audience={"kind": "items"},
            text={"subject": "Code", "body": "4711"},
            priority=Priority.REALTIME,
            items=items,
        )
        assert (server.client.llen("realtime"), server.client.llen("bulk")) == (1, 0)
        dispatch_to()
        assert (server.client.llen("realtime"), server.client.llen("bulk")) == (1, 1)
        # A few are planned as they are accepted: the next ring is for sending.
        small = dispatch_to([other], message_class="transactional", priority=Priority.REALTIME)
        assert small.state == Dispatch.State.RUNNING
        assert server.client.llen("realtime") == 2
    assert dispatch.state == Dispatch.State.PLANNING
    assert work(priority=Priority.REALTIME) == 1
    assert states(small) == {"sent": 1}
