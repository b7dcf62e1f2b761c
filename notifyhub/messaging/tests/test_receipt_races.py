"""Receipts race with the settling window: whatever is first, rows end the same and counters count them."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import hypothesis
import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import strategies as st

from notifyhub.customers.models import ContactPoint
from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.engine.lease import LeasedBatch, take_lease
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.engine.reaper import reap_expired_leases
from notifyhub.messaging.engine.write import BatchWrite, Verdict, write_window
from notifyhub.messaging.models import Batch, Delivery, Dispatch
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.services.dispatches import cancel_dispatch
from notifyhub.messaging.services.receipts import REPORTED, Receipt, record_receipts
from notifyhub.messaging.tests.kit.sending import (
    assert_counts_are_the_ledger,
    dispatch_to,
    drain,
    make_recipients,
    memory_account,
    reasons,
    states,
)

pytestmark = pytest.mark.django_db
State = Delivery.State

VERDICTS: dict[str, Verdict] = {
    "sent": Verdict(row=0, state=State.SENT, kind="sent", tries=1),
    "delivered": Verdict(row=0, state=State.DELIVERED, kind="sent", tries=1),
    "failed": Verdict(row=0, state=State.FAILED, kind="failed", reason="rejected", tries=1),
    "unknown": Verdict(row=0, state=State.UNKNOWN, kind="unknown", reason="ambiguous", tries=1),
    "put off": Verdict(row=0, state=State.PLANNED, kind="retry", reason="ambiguous", tries=1, delay=3600),
}


def receipt(row: Delivery, kind: str) -> Receipt:
    return Receipt(dispatch_id=row.dispatch_id, delivery_id=row.pk, kind=kind, at=timezone.now())


def opened() -> tuple[Dispatch, LeasedBatch, list[Delivery]]:
    """Return a dispatch of two messages that a worker has leased."""
    memory_account()
    make_recipients("auto", "auto")
    dispatch = dispatch_to()
    plan_dispatch(dispatch_id=dispatch.pk)
    lease = take_lease(owner="me", priority=Priority.BULK, seconds=60, window=100, blocked=[])
    assert lease is not None
    (batch,) = lease.batches
    return dispatch, batch, list(Delivery.objects.filter(dispatch_id=dispatch.pk).order_by("pk"))


def settle(batch: LeasedBatch, rows: list[Delivery], *verdicts: Verdict) -> None:
    """Settle the window as a worker does."""
    fields = [{**asdict(one), "row": row.pk} for one, row in zip(verdicts, rows, strict=True)]
    write = BatchWrite(
        batch=batch, cursor=batch.hi, open_to=batch.hi, verdicts=[Verdict(**one) for one in fields]
    )
    assert write_window([write], worker="me", seconds=60) == {batch.id}


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("kind", ["sent", "failed", "delivered", "bounced", "clicked"])
def test_a_receipt_before_the_settle_ends_like_one_after_it(kind: str, verdict: str) -> None:
    dispatch, batch, rows = opened()
    early, late = rows
    record_receipts([receipt(early, kind)])
    settle(batch, rows, VERDICTS[verdict], VERDICTS[verdict])
    record_receipts([receipt(late, kind)])
    early.refresh_from_db()
    late.refresh_from_db()
    assert early.state == late.state
    assert early.reason == late.reason
    assert_counts_are_the_ledger(dispatch)


settled = st.sampled_from(sorted(VERDICTS))
reports = st.lists(st.sampled_from(sorted(REPORTED)), max_size=6)


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(first=reports, verdict=settled, later=reports)
def test_whatever_the_order_the_state_and_the_counters_are_the_same(
    first: list[str], verdict: str, later: list[str]
) -> None:
    with transaction.atomic():
        dispatch, batch, rows = opened()
        mixed, ordered = rows
        for kind in first:
            record_receipts([receipt(mixed, kind)])
        settle(batch, rows, VERDICTS[verdict], VERDICTS[verdict])
        record_receipts([receipt(mixed, kind) for kind in later + later])
        for kind in sorted(first + later):
            record_receipts([receipt(ordered, kind)])
        mixed.refresh_from_db()
        ordered.refresh_from_db()
        assert (mixed.state, mixed.read_at is None) == (ordered.state, ordered.read_at is None)
        assert_counts_are_the_ledger(dispatch)
        transaction.set_rollback(True)


def test_a_receipt_saves_the_second_try_of_a_message_in_doubt() -> None:
    memory_account()
    make_recipients("silent@mail.example", "silent2@mail.example")
    dispatch = dispatch_to(message_class="transactional", topic=None)
    drain()
    assert states(dispatch) == {"planned": 2}
    told, untold = Delivery.objects.filter(dispatch_id=dispatch.pk).order_by("pk")
    record_receipts([receipt(told, "delivered")])
    Batch.objects.filter(dispatch=dispatch).update(not_before=timezone.now())
    drain()
    assert [one.key for one in MemoryBackend.outbox].count(f"{dispatch.key.hex}.{told.pk}") == 1
    assert [one.key for one in MemoryBackend.outbox].count(f"{dispatch.key.hex}.{untold.pk}") == 2
    assert states(dispatch) == {"delivered": 1, "unknown": 1}
    assert_counts_are_the_ledger(dispatch)


@pytest.mark.parametrize("kind", ["sent", "failed", "delivered", "bounced"])
def test_a_receipt_about_a_dead_workers_window_is_counted_once(kind: str) -> None:
    dispatch, batch, rows = opened()
    Batch.objects.filter(pk=batch.id).update(
        open_to=batch.hi, lease_until=timezone.now() - timedelta(seconds=1)
    )
    record_receipts([receipt(rows[0], kind)])
    assert reap_expired_leases() == 1
    assert_counts_are_the_ledger(dispatch)
    record_receipts([receipt(rows[1], kind)])
    assert_counts_are_the_ledger(dispatch)
    assert len(states(dispatch)) == 1


def doubtful(**fields: Any) -> Dispatch:
    """Return a dispatch whose one message may have arrived and waits for its second try."""
    memory_account()
    make_recipients("silent@mail.example")
    dispatch = dispatch_to(message_class="transactional", topic=None, **fields)
    drain()
    assert states(dispatch) == {"planned": 1}
    Batch.objects.filter(dispatch=dispatch).update(not_before=timezone.now())
    return dispatch


def test_a_message_in_doubt_is_not_called_cancelled() -> None:
    dispatch = doubtful()
    cancel_dispatch(dispatch_id=dispatch.pk, reason="Wrong text")
    drain()
    assert states(dispatch) == {"unknown": 1}
    assert reasons(dispatch) == {"ambiguous": 1}
    assert_counts_are_the_ledger(dispatch)


def test_a_message_in_doubt_is_not_called_skipped() -> None:
    dispatch = doubtful()
    ContactPoint.objects.update(valid=False)
    drain()
    assert states(dispatch) == {"unknown": 1}
    assert_counts_are_the_ledger(dispatch)
    record_receipts([receipt(Delivery.objects.get(dispatch_id=dispatch.pk), "delivered")])
    assert states(dispatch) == {"delivered": 1}
    assert_counts_are_the_ledger(dispatch)


def test_a_receipt_between_two_windows_keeps_its_reason() -> None:
    dispatch, batch, rows = opened()
    write = BatchWrite(
        batch=batch,
        cursor=rows[0].pk,
        open_to=rows[0].pk,
        verdicts=[Verdict(row=rows[0].pk, state=State.SENT, kind="sent", tries=1)],
    )
    assert write_window([write], worker="me", seconds=60)
    record_receipts([receipt(rows[0], "failed")])
    settle(batch, rows[1:], VERDICTS["failed"])
    assert reasons(dispatch) == {"rejected": 2}
    assert_counts_are_the_ledger(dispatch)
