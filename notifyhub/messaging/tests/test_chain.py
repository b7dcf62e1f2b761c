"""The fallback chain: who goes on to the next step, when, and who does not."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from notifyhub.customers.models import Consent, Customer, Hold
from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.engine.chain import look_at_due
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.models import Batch, Delivery, Dispatch, ProviderAccount
from notifyhub.messaging.services.dispatches import cancel_dispatch, pause_dispatch, resume_dispatch
from notifyhub.messaging.services.preferences import find_link, unsubscribe
from notifyhub.messaging.services.receipts import settle_unknown
from notifyhub.messaging.tests.kit.chains import (
    HOUR,
    THREE_STEPS,
    TWO_STEPS,
    chained,
    checks,
    memory_accounts,
    pass_time,
    report,
    rows_of,
    share_phone,
    steps,
)
from notifyhub.messaging.tests.kit.sending import assert_counts_are_the_ledger, drain, work

pytestmark = pytest.mark.django_db

SENT, READ = (0, "sent", ""), "read"


@pytest.fixture(autouse=True)
def _accounts() -> None:
    memory_accounts()


def state(dispatch: Dispatch) -> str:
    return Dispatch.objects.get(pk=dispatch.pk).state


def test_a_step_that_certainly_failed_is_followed_at_once() -> None:
    dispatch = chained("auto", "reject@mail.example")
    drain()
    assert steps(dispatch) == [[SENT], [(0, "failed", "rejected"), (1, "sent", "")]]
    assert_counts_are_the_ledger(dispatch)
    # The other one may still be read.
    assert state(dispatch) == Dispatch.State.RUNNING


def test_what_is_not_read_within_its_wait_is_followed_by_the_next_step() -> None:
    dispatch = chained("auto", "auto", "auto")
    drain()
    assert steps(dispatch) == [[SENT]] * 3
    pass_time(dispatch, HOUR - 60)
    report(rows_of(dispatch, 0)[0], READ)
    report(rows_of(dispatch, 0)[1], "delivered")
    drain()
    assert [len(one) for one in steps(dispatch)] == [1, 1, 1]
    pass_time(dispatch, 61)
    drain()
    assert steps(dispatch) == [
        [(0, "delivered", "")],
        [(0, "delivered", ""), (1, "sent", "")],
        [SENT, (1, "sent", "")],
    ]
    assert state(dispatch) == Dispatch.State.FINISHED
    assert_counts_are_the_ledger(dispatch)


def test_delivered_is_enough_where_the_chain_asks_for_no_more() -> None:
    chain = [{"channel": "email", "wait": HOUR}, {"channel": "sms"}]
    dispatch = chained("auto", "auto", chain=chain)
    drain()
    report(rows_of(dispatch, 0)[0], "delivered")
    pass_time(dispatch)
    drain()
    assert steps(dispatch) == [[(0, "delivered", "")], [SENT, (1, "sent", "")]]
    assert state(dispatch) == Dispatch.State.FINISHED


def test_a_chain_without_waits_moves_on_after_failures_only() -> None:
    dispatch = chained("auto", "reject@mail.example", chain=[{"channel": "email"}, {"channel": "sms"}])
    drain()
    assert steps(dispatch) == [[SENT], [(0, "failed", "rejected"), (1, "sent", "")]]
    assert state(dispatch) == Dispatch.State.FINISHED


def test_people_start_at_the_first_channel_that_reaches_them() -> None:
    dispatch = chained("auto", None, chain=THREE_STEPS)
    plan_dispatch(dispatch_id=dispatch.pk)
    assert steps(dispatch) == [[(0, "planned", "")], [(1, "planned", "")]]
    found = Batch.objects.filter(dispatch=dispatch).order_by("step").values_list("step", "channel", "watch")
    assert list(found) == [(0, "email", True), (1, "sms", True)]


def test_three_steps_follow_each_other() -> None:
    dispatch = chained("auto", "reject@mail.example", chain=THREE_STEPS)
    drain()
    pass_time(dispatch)
    drain()
    assert steps(dispatch) == [
        [SENT, (1, "sent", "")],
        [(0, "failed", "rejected"), (1, "sent", ""), (2, "sent", "")],
    ]
    pass_time(dispatch)
    drain()
    assert steps(dispatch)[0] == [SENT, (1, "sent", ""), (2, "sent", "")]
    assert state(dispatch) == Dispatch.State.FINISHED
    assert_counts_are_the_ledger(dispatch)


def test_what_is_read_a_moment_before_the_next_step_stops_it() -> None:
    dispatch = chained("auto", "auto", chain=[{**TWO_STEPS[0], "wait": 0}, {"channel": "sms"}])
    plan_dispatch(dispatch_id=dispatch.pk)
    work()
    assert look_at_due() == 1
    assert steps(dispatch)[0] == [SENT, (1, "planned", "")]
    report(rows_of(dispatch, 0)[0], READ)
    # Delivered is not read, and this chain asks for read.
    report(rows_of(dispatch, 0)[1], "delivered")
    drain()
    assert steps(dispatch) == [
        [(0, "delivered", ""), (1, "skipped", "read")],
        [(0, "delivered", ""), (1, "sent", "")],
    ]
    assert [message.channel for message in MemoryBackend.outbox] == ["email", "email", "sms"]
    assert_counts_are_the_ledger(dispatch)


def leave(row: Delivery) -> None:
    link = find_link(dispatch_id=row.dispatch_id, delivery_id=row.pk)
    assert link is not None
    unsubscribe(link=link)


@pytest.mark.parametrize(
    "how", [leave, lambda row: report(row, "unsubscribed"), lambda row: report(row, "complained")]
)
def test_whoever_leaves_or_complains_is_not_followed_to_the_next_channel(how: Any) -> None:
    dispatch = chained("auto")
    drain()
    how(rows_of(dispatch, 0)[0])
    pass_time(dispatch)
    drain()
    assert [len(one) for one in steps(dispatch)] == [1]
    assert state(dispatch) == Dispatch.State.FINISHED


def test_an_unknown_promotion_is_perhaps_delivered_and_ends_the_chain() -> None:
    dispatch = chained("silent@mail.example")
    drain()
    pass_time(dispatch)
    drain()
    assert steps(dispatch) == [[(0, "unknown", "ambiguous")]]
    assert state(dispatch) == Dispatch.State.FINISHED


def test_an_unknown_assured_message_waits_and_then_goes_on() -> None:
    dispatch = chained("silent@mail.example", message_class="transactional")
    drain()
    pass_time(dispatch, 120)
    drain()
    assert steps(dispatch) == [[(0, "unknown", "ambiguous")]]
    assert state(dispatch) == Dispatch.State.RUNNING
    pass_time(dispatch)
    drain()
    assert steps(dispatch) == [[(0, "unknown", "ambiguous"), (1, "sent", "")]]
    assert_counts_are_the_ledger(dispatch)


def test_a_person_who_settles_doubt_as_failed_moves_it_on() -> None:
    dispatch = chained("silent@mail.example", "auto")
    drain()
    row = rows_of(dispatch, 0)[0]
    settle_unknown(dispatch_id=dispatch.pk, delivery_id=row.pk, sent=False, reason="They called")
    drain()
    assert steps(dispatch)[0] == [(0, "failed", "rejected"), (1, "sent", "")]


def test_a_retry_is_left_to_its_own_batch_and_then_moves_on() -> None:
    dispatch = chained("fail@mail.example", "auto")
    drain()
    assert steps(dispatch)[0] == [(0, "planned", "")]
    for _try in range(4):
        Batch.objects.filter(dispatch=dispatch, state=0).update(not_before=timezone.now())
        drain()
    assert steps(dispatch) == [[(0, "failed", "too_many_tries"), (1, "sent", "")], [SENT]]
    assert_counts_are_the_ledger(dispatch)
    pass_time(dispatch)
    drain()
    assert steps(dispatch)[1] == [SENT, (1, "sent", "")]
    assert state(dispatch) == Dispatch.State.FINISHED


def test_the_wait_of_a_retried_message_begins_when_it_was_handed_over() -> None:
    dispatch = chained("once-fail@mail.example", "auto")
    drain()
    pass_time(dispatch, HOUR - 60)
    drain()
    assert steps(dispatch) == [[SENT], [SENT]]
    pass_time(dispatch, 120)
    drain()
    assert steps(dispatch) == [[SENT], [SENT, (1, "sent", "")]]
    pass_time(dispatch, HOUR)
    drain()
    assert steps(dispatch)[0] == [SENT, (1, "sent", "")]


def opt_out(customer: Customer) -> None:
    Consent.objects.filter(customer=customer, channel="email").update(decision="out")


def hold_channel(customer: Customer) -> None:
    Hold.objects.create(customer=customer, scope="channel", scope_value="email", reason="Asked for it")


@pytest.mark.parametrize(("change", "reason"), [(opt_out, "opted_out"), (hold_channel, "hold")])
def test_a_skip_for_a_reason_of_the_channel_is_followed_at_once(change: Any, reason: str) -> None:
    dispatch = chained("auto")
    plan_dispatch(dispatch_id=dispatch.pk)
    change(Customer.objects.get())
    drain()
    assert steps(dispatch) == [[(0, "skipped", reason), (1, "sent", "")]]
    assert state(dispatch) == Dispatch.State.FINISHED


def test_a_hold_on_all_promotions_ends_the_chain() -> None:
    dispatch = chained("auto")
    plan_dispatch(dispatch_id=dispatch.pk)
    Hold.objects.create(customer=Customer.objects.get(), scope="promotions", reason="Complaint")
    drain()
    assert steps(dispatch) == [[(0, "skipped", "hold")]]
    assert state(dispatch) == Dispatch.State.FINISHED


def test_without_an_account_the_next_channel_is_tried() -> None:
    ProviderAccount.objects.filter(channel="email").update(active=False)
    dispatch = chained("auto")
    drain()
    assert steps(dispatch) == [[(0, "failed", "no_account"), (1, "sent", "")]]


def test_whoever_was_tried_and_cannot_be_tried_again_has_a_row_that_says_why() -> None:
    dispatch = chained("auto", "auto")
    drain()
    Consent.objects.filter(channel="sms", customer=Customer.objects.earliest("pk")).update(decision="out")
    pass_time(dispatch)
    drain()
    assert steps(dispatch) == [[SENT, (1, "skipped", "opted_out")], [SENT, (1, "sent", "")]]
    assert state(dispatch) == Dispatch.State.FINISHED
    assert_counts_are_the_ledger(dispatch)


def test_two_customers_with_one_phone_get_one_message_of_a_later_step() -> None:
    dispatch = chained("auto", "reject@mail.example")
    first, second = Customer.objects.order_by("pk")
    share_phone(first, second)
    drain()
    pass_time(dispatch)
    drain()
    assert steps(dispatch) == [
        [SENT, (1, "skipped", "duplicate_contact")],
        [(0, "failed", "rejected"), (1, "sent", "")],
    ]


def test_a_merged_customer_is_reached_as_the_one_they_were_merged_into() -> None:
    dispatch = chained("auto", "auto")
    drain()
    gone, kept = Customer.objects.order_by("pk")
    Customer.objects.filter(pk=gone.pk).update(state="merged", merged_into=kept)
    pass_time(dispatch)
    drain()
    assert {row.customer_id for row in rows_of(dispatch, 1)} == {kept.pk}


def test_a_paused_dispatch_waits_with_its_next_step() -> None:
    dispatch = chained("auto")
    drain()
    pause_dispatch(dispatch_id=dispatch.pk, reason="Wrong price")
    pass_time(dispatch)
    drain()
    assert steps(dispatch) == [[SENT]]
    resume_dispatch(dispatch_id=dispatch.pk)
    drain()
    assert steps(dispatch) == [[SENT, (1, "sent", "")]]


def test_cancelling_in_mid_wait_plans_nothing_more() -> None:
    dispatch = chained("auto")
    drain()
    assert checks(dispatch) == 1
    cancel_dispatch(dispatch_id=dispatch.pk)
    drain()
    assert state(dispatch) == Dispatch.State.CANCELLED
    pass_time(dispatch)
    drain()
    assert steps(dispatch) == [[SENT]]
    assert checks(dispatch) == 0


def test_an_end_before_the_next_look_ends_the_wait() -> None:
    dispatch = chained("auto", expires_at=timezone.now() + timedelta(hours=2))
    drain()
    assert checks(dispatch) == 1
    Dispatch.objects.filter(pk=dispatch.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    drain()
    assert (checks(dispatch), state(dispatch)) == (0, Dispatch.State.FINISHED)
    assert steps(dispatch) == [[SENT]]


def test_a_bounce_after_the_looks_moves_on_while_the_dispatch_runs() -> None:
    dispatch = chained("auto", "auto", chain=[{"channel": "email"}, {"channel": "sms"}])
    plan_dispatch(dispatch_id=dispatch.pk)
    Batch.objects.create(
        dispatch=dispatch,
        channel="email",
        priority=1,
        lo=10**12,
        hi=10**12,
        ids=[10**12],
        cursor=0,
        open_to=0,
        not_before=timezone.now() + timedelta(hours=1),
    )
    drain()
    assert (checks(dispatch), state(dispatch)) == (0, Dispatch.State.RUNNING)
    report(rows_of(dispatch, 0)[0], "bounced")
    drain()
    assert steps(dispatch) == [[(0, "bounced", "rejected"), (1, "sent", "")], [SENT]]
    assert_counts_are_the_ledger(dispatch)


def test_a_bounce_after_the_end_changes_the_message_and_sends_nothing() -> None:
    dispatch = chained("auto", chain=[{"channel": "email"}, {"channel": "sms"}])
    drain()
    report(rows_of(dispatch, 0)[0], "bounced")
    drain()
    assert steps(dispatch) == [[(0, "bounced", "rejected")]]
    assert (checks(dispatch), state(dispatch)) == (0, Dispatch.State.FINISHED)


def test_ids_of_later_steps_fill_the_block_of_the_dispatch() -> None:
    dispatch = chained("auto", "reject@mail.example", chain=THREE_STEPS)
    drain()
    pass_time(dispatch)
    drain()
    dispatch.refresh_from_db()
    (base,) = dispatch.blocks
    ids = Delivery.objects.filter(dispatch_id=dispatch.pk).order_by("id").values_list("id", flat=True)
    assert list(ids) == list(range(base, base + 5))
