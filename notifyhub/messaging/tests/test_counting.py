"""Counting stands and falls with the opening of the window that it belongs to."""

import pytest
from django.db.models import F
from django.utils import timezone

from notifyhub.messaging.channels.base import Result
from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.engine.accounts import Accounts
from notifyhub.messaging.engine.compose import Composer
from notifyhub.messaging.engine.judge import judge_result
from notifyhub.messaging.engine.lease import Lease, take_lease
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.engine.respects import cap_respect
from notifyhub.messaging.engine.transport import Transport
from notifyhub.messaging.engine.window import run_window
from notifyhub.messaging.engine.window.parts import Plan
from notifyhub.messaging.engine.window.preparing import prepare
from notifyhub.messaging.engine.window.sending import open_window, settle_window, undo_opening
from notifyhub.messaging.engine.window_sql import read_window
from notifyhub.messaging.engine.write import BatchWrite
from notifyhub.messaging.models import Batch, Dispatch, SendCount
from notifyhub.messaging.services.receipts import Receipt, record_receipts
from notifyhub.messaging.tests.kit.limits import assert_counters_are_the_ledger, limit, used
from notifyhub.messaging.tests.kit.sending import dispatch_to, drain, make_recipients, memory_account, states

pytestmark = pytest.mark.django_db
ALL = cap_respect("promotional", "")
ACCEPTED = Result(kind="accepted", provider_ref="r1")
REFUSED = Result(kind="permanent", code="550")
BUSY = Result(kind="transient", code="450")


@pytest.fixture(autouse=True)
def _account() -> None:
    memory_account()


def leased(*emails: str) -> tuple[Dispatch, Lease]:
    limit(cap_day=1, duplicate_hours=24)
    make_recipients(*emails)
    dispatch = dispatch_to()
    plan_dispatch(dispatch_id=dispatch.pk)
    lease = take_lease(owner="x", priority=1, seconds=60, window=100, blocked=[])
    assert lease is not None
    return dispatch, lease


def test_a_worker_that_lost_its_lease_counts_nothing() -> None:
    dispatch, lease = leased("auto")
    Batch.objects.filter(dispatch=dispatch).update(epoch=F("epoch") + 1)
    transport = Transport()
    try:
        done = run_window(
            lease,
            lease.batches,
            transport=transport,
            accounts=Accounts(),
            composer=Composer([dispatch.pk]),
            take=100,
        )
    finally:
        transport.close()
    assert done.lost == lease.batches
    assert not SendCount.objects.exists()
    assert MemoryBackend.outbox == []


def opened(dispatch: Dispatch, lease: Lease) -> list[Plan]:
    rows = read_window(lease.batches, take=100, owner=lease.owner)
    composer = Composer([dispatch.pk])
    plans = prepare(
        [(lease.batches[0], rows)],
        accounts=Accounts(),
        composer=composer,
        policies=composer.policies,
        take=100,
    )
    assert open_window(lease, plans) == {lease.batches[0].id}
    return plans


def test_an_opening_of_which_the_worker_never_heard_is_uncounted_with_it() -> None:
    dispatch, lease = leased("auto", "auto")
    plans = opened(dispatch, lease)
    assert SendCount.objects.filter(used=1).count() == 4
    undo_opening(lease, plans)
    assert not SendCount.objects.filter(used__gt=0).exists()
    # Twice does no harm, and the messages are not refused for their own counting.
    undo_opening(lease, plans)
    lease.give_back()
    drain()
    assert states(dispatch) == {"sent": 2}
    assert_counters_are_the_ledger()


def test_an_undone_opening_that_never_was_gives_nothing_back() -> None:
    dispatch, lease = leased("auto")
    plans = opened(dispatch, lease)
    Batch.objects.filter(dispatch=dispatch).update(epoch=F("epoch") + 1)
    undo_opening(lease, plans)
    assert SendCount.objects.filter(used=1).count() == 2


@pytest.mark.parametrize(
    ("reported", "answer", "kept"),
    [("failed", ACCEPTED, 0), ("delivered", REFUSED, 1), ("sent", BUSY, 1), ("failed", REFUSED, 0)],
)
def test_a_receipt_that_outruns_its_window_decides_what_is_counted(
    reported: str, answer: Result, kept: int
) -> None:
    dispatch, lease = leased("auto", "auto")
    (plan,) = opened(dispatch, lease)
    first = plan.drafts[0].row
    record_receipts(
        [Receipt(dispatch_id=dispatch.pk, delivery_id=first["id"], kind=reported, at=timezone.now())]
    )
    answers = [answer, ACCEPTED]
    write = BatchWrite(
        batch=plan.batch,
        cursor=plan.last,
        open_to=plan.last,
        verdicts=[
            judge_result(draft.row, one, account_id=draft.account.id, message_class="promotional")
            for draft, one in zip(plan.drafts, answers, strict=True)
        ],
    )
    settle_window(lease, [write], {plan.batch.id: plan.drafts})
    assert used(first["person_id"], ALL) == kept
    assert used(plan.drafts[1].row["person_id"], ALL) == 1
    assert_counters_are_the_ledger()
