"""Receipts race with the settling window: whatever is first, rows end the same and counters count them."""

import pytest
from django.utils import timezone

from notifyhub.messaging.engine.lease import LeasedBatch, take_lease
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.engine.write import BatchWrite, Verdict, write_window
from notifyhub.messaging.models import Delivery, Dispatch
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.services.receipts import Receipt, record_receipts
from notifyhub.messaging.tests.kit.sending import (
    assert_counts_are_the_ledger,
    dispatch_to,
    make_recipients,
    memory_account,
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
    fields = [{**vars(one), "row": row.pk} for one, row in zip(verdicts, rows, strict=True)]
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
