"""Receipts: merged by rank, so that order and repetition do not matter."""

from itertools import permutations
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from notifyhub.core.errors import Refused
from notifyhub.messaging.models import Delivery, DeliveryEvent, Dispatch
from notifyhub.messaging.services.receipts import REPORTED, Receipt, merge, record_receipts, settle_unknown
from notifyhub.messaging.tests.kit.sending import (
    assert_counts_are_the_ledger,
    dispatch_to,
    drain,
    make_recipients,
    memory_account,
    states,
)

State = Delivery.State
rank = st.sampled_from([int(state) for state in REPORTED.values()])
any_state = st.sampled_from([int(state) for state in State])


@given(start=any_state, reports=st.lists(rank, max_size=6), data=st.data())
def test_any_order_and_any_repetition_end_in_the_same_state(
    start: int, reports: list[int], data: Any
) -> None:
    def run(sequence: list[int]) -> int:
        state = start
        for report in sequence:
            state = merge(state, report)
        return state

    shuffled = data.draw(st.permutations(reports))
    assert run(list(shuffled)) == run(reports) == run(reports + reports)


@given(state=any_state, report=rank)
def test_a_report_never_takes_a_message_back(state: int, report: int) -> None:
    assert merge(state, report) >= state


def receipt(row: Delivery, kind: str) -> Receipt:
    return Receipt(
        dispatch_id=row.dispatch_id, delivery_id=row.pk, kind=kind, at=timezone.now(), provider_ref="r"
    )


@pytest.fixture
def dispatch(db: None) -> Dispatch:
    memory_account()
    make_recipients("auto", "auto", "silent@mail.example", "reject@mail.example")
    made = dispatch_to()
    drain()
    assert states(made) == {"sent": 2, "unknown": 1, "failed": 1}
    return made


@pytest.mark.parametrize("order", list(permutations(["delivered", "sent", "bounced"])))
def test_reports_in_any_order_count_once(dispatch: Dispatch, order: tuple[str, ...]) -> None:
    row = Delivery.objects.filter(dispatch_id=dispatch.pk, state=State.SENT)[0]
    for kind in order:
        record_receipts([receipt(row, kind), receipt(row, kind)])
    assert states(dispatch) == {"sent": 1, "unknown": 1, "failed": 1, "bounced": 1}
    assert_counts_are_the_ledger(dispatch)


def test_a_message_in_doubt_that_arrived_is_delivered(dispatch: Dispatch) -> None:
    row = Delivery.objects.get(dispatch_id=dispatch.pk, state=State.UNKNOWN)
    assert record_receipts([receipt(row, "delivered")]) == 1
    row.refresh_from_db()
    assert (row.state, row.reason) == (State.DELIVERED, "")
    assert row.delivered_at is not None
    assert_counts_are_the_ledger(dispatch)


def test_a_report_about_nothing_we_know_changes_nothing(dispatch: Dispatch) -> None:
    row = Delivery(dispatch_id=dispatch.pk, id=10**15)
    assert record_receipts([receipt(row, "delivered")]) == 0


def test_a_person_settles_what_is_in_doubt_with_a_reason(dispatch: Dispatch) -> None:
    row = Delivery.objects.get(dispatch_id=dispatch.pk, state=State.UNKNOWN)
    facts = {"dispatch_id": dispatch.pk, "delivery_id": row.pk, "sent": True}
    with pytest.raises(Refused):
        settle_unknown(**facts, reason=" ")
    assert settle_unknown(**facts, reason="The customer has it").state == State.SENT
    with pytest.raises(Refused):
        settle_unknown(**facts, reason="Again")
    assert DeliveryEvent.objects.filter(dispatch_id=dispatch.pk, kind="settled").count() == 1
    assert_counts_are_the_ledger(dispatch)
