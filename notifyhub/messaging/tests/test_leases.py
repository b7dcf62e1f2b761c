"""Leases and the fence: what a dead, slow or superseded worker may and may not change."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.engine.careful import mark_before_render
from notifyhub.messaging.engine.endings import end_batch
from notifyhub.messaging.engine.lease import Lease, take_lease
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.engine.reaper import reap_expired_leases
from notifyhub.messaging.engine.window_sql import read_window
from notifyhub.messaging.engine.write import BatchWrite, Verdict, write_window
from notifyhub.messaging.models import Batch, Delivery, DeliveryEvent, Dispatch
from notifyhub.messaging.tests.kit.sending import (
    assert_counts_are_the_ledger,
    dispatch_to,
    drain,
    make_recipients,
    memory_account,
    reasons,
    states,
)
from notifyhub.staff.models import StaffNotice
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _account() -> None:
    memory_account()


def planned(count: int = 4, **fields: Any) -> Dispatch:
    customers = make_recipients(*["auto"] * count)
    dispatch = dispatch_to(customers if fields.get("message_class") == "transactional" else None, **fields)
    plan_dispatch(dispatch_id=dispatch.pk)
    return dispatch


def lease(owner: str = "first") -> Lease:
    taken = take_lease(owner=owner, priority=1, seconds=60, window=100, blocked=[])
    assert taken is not None
    return taken


def open_window(taken: Lease, rows: int) -> list[int]:
    """Commit "open" for the first rows, as a worker does right before it hands them over."""
    (batch,) = taken.batches
    ids = [row["id"] for row in read_window([batch], take=rows)]
    write = BatchWrite(batch=batch, cursor=batch.cursor, open_to=ids[-1])
    assert write_window([write], worker=taken.owner, seconds=60)
    return ids


def die() -> None:
    """Let time pass over the lease of a worker that is no more."""
    Batch.objects.filter(state=Batch.State.LEASED).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_a_batch_is_leased_to_one_worker_only() -> None:
    planned()
    lease()
    assert take_lease(owner="second", priority=1, seconds=60, window=100, blocked=[]) is None


def test_a_superseded_worker_changes_nothing() -> None:
    dispatch = planned()
    first = lease()
    ids = open_window(first, 4)
    die()
    reap_expired_leases()
    Batch.objects.filter(dispatch=dispatch).update(state=0, cursor=ids[0] - 1, open_to=ids[0] - 1)
    Delivery.objects.filter(dispatch_id=dispatch.pk).update(state=0, reason="")
    second = lease("second")
    before = list(Batch.objects.filter(dispatch=dispatch).values())
    (batch,) = first.batches
    late = BatchWrite(
        batch=batch,
        cursor=ids[-1],
        open_to=ids[-1],
        verdicts=[Verdict(row=row, state=Delivery.State.SENT, kind="sent") for row in ids],
    )
    events = DeliveryEvent.objects.count()
    assert write_window([late], worker="first", seconds=60) == set()
    assert end_batch(batch, cancelled=True, worker="first") == 0
    first.give_back()
    assert list(Batch.objects.filter(dispatch=dispatch).values()) == before
    assert states(dispatch) == {"planned": 4}
    assert DeliveryEvent.objects.count() == events
    assert second.batches[0].epoch == before[0]["epoch"]


def test_what_was_opened_by_a_dead_worker_is_unknown_and_the_rest_is_sent() -> None:
    dispatch = planned(5)
    open_window(lease(), 2)
    die()
    drain()
    assert states(dispatch) == {"unknown": 2, "sent": 3}
    assert reasons(dispatch) == {"worker_died": 2}
    assert DeliveryEvent.objects.filter(dispatch_id=dispatch.pk, kind="unknown").count() == 2
    assert_counts_are_the_ledger(dispatch)


def test_what_was_not_opened_is_simply_sent() -> None:
    dispatch = planned()
    lease()
    die()
    drain()
    assert states(dispatch) == {"sent": 4}


def test_assured_rows_of_a_dead_worker_are_sent_once_more_and_then_unknown() -> None:
    dispatch = planned(3, message_class="transactional")
    open_window(lease(), 2)
    die()
    reap_expired_leases()
    assert states(dispatch) == {"planned": 3}
    side = Batch.objects.get(dispatch=dispatch, ids__isnull=False)
    assert len(side.ids or []) == 2
    # The worker that re-sends them dies as well.
    Batch.objects.filter(dispatch=dispatch, ids__isnull=True).update(
        not_before=timezone.now() + timedelta(hours=1)
    )
    open_window(lease(), 2)
    die()
    Batch.objects.filter(state=0).update(not_before=timezone.now())
    drain()
    assert states(dispatch) == {"unknown": 2, "sent": 1}
    assert len(MemoryBackend.outbox) == 1
    assert_counts_are_the_ledger(dispatch)


def test_a_row_settled_with_the_opening_is_not_in_doubt() -> None:
    dispatch = planned(3)
    taken = lease()
    (batch,) = taken.batches
    ids = [row["id"] for row in read_window([batch], take=3)]
    stopped = Verdict(row=ids[1], state=Delivery.State.SKIPPED, kind="skipped", reason="hold")
    write = BatchWrite(batch=batch, cursor=batch.cursor, open_to=ids[2], verdicts=[stopped])
    write_window([write], worker="first", seconds=60)
    die()
    drain()
    assert states(dispatch) == {"unknown": 2, "skipped": 1}
    assert_counts_are_the_ledger(dispatch)


def test_a_lease_given_back_is_no_sign_of_a_killing_row() -> None:
    dispatch = planned()
    for _ in range(5):
        lease().give_back()
    batch = Batch.objects.get(dispatch=dispatch)
    assert (batch.state, batch.tries) == (Batch.State.READY, 0)


def test_the_row_that_kills_its_worker_is_found_and_set_aside_alone() -> None:
    boss = make_user()
    dispatch = planned(5)
    killer = Delivery.objects.filter(dispatch_id=dispatch.pk).order_by("id")[2].pk
    for _ in range(3):
        lease()
        die()
        reap_expired_leases()
    # The fourth lease goes row by row: two are sent, the third dies in rendering, after its mark.
    taken = lease()
    (batch,) = taken.batches
    assert batch.tries == 4
    rows = read_window([batch], take=5)
    done = [Verdict(row=row["id"], state=Delivery.State.SENT, kind="sent") for row in rows[:2]]
    write = BatchWrite(batch=batch, cursor=rows[1]["id"], open_to=rows[1]["id"], verdicts=done)
    write_window([write], worker="first", seconds=60)
    mark_before_render([(batch, rows[2:3])])
    die()
    drain()
    assert states(dispatch) == {"sent": 4, "failed": 1}
    row = Delivery.objects.get(dispatch_id=dispatch.pk, pk=killer)
    assert (row.state, row.reason) == (Delivery.State.FAILED, "poison")
    notice = StaffNotice.objects.get(recipient=boss)
    assert f"{dispatch.pk}-{killer}" in notice.title
    assert_counts_are_the_ledger(dispatch)


def test_a_suspect_batch_without_a_killer_is_sent_row_by_row() -> None:
    dispatch = planned(5)
    Batch.objects.filter(dispatch=dispatch).update(tries=7)
    drain()
    assert states(dispatch) == {"sent": 5}
    assert Delivery.objects.filter(dispatch_id=dispatch.pk).exclude(reason="").count() == 0


def test_nothing_is_handed_over_past_the_safe_part_of_a_lease() -> None:
    taken = Lease(owner="x", seconds=10, batches=[])
    assert taken.may_send()
    taken.taken -= 7.1
    assert not taken.may_send()


def test_a_worker_without_time_left_on_its_lease_gives_it_back() -> None:
    dispatch = planned()
    from notifyhub.messaging.tests.kit.sending import work

    assert work(seconds=0, lease_seconds=0.0) == 0
    assert states(dispatch) == {"planned": 4}
    assert MemoryBackend.outbox == []


def test_rows_without_a_batch_are_adopted_and_not_lost() -> None:
    dispatch = planned()
    Batch.objects.filter(dispatch=dispatch).delete()
    call_command("run_worker_once", verbosity=0)
    dispatch.refresh_from_db()
    assert dispatch.state == Dispatch.State.RUNNING
    drain()
    assert states(dispatch) == {"sent": 4}
