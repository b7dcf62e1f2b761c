"""Failover: what one account certainly did not take goes through the next; what may have arrived does not."""

from collections.abc import Iterator

import pytest
from django.utils import timezone

from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.engine.accounts import Accounts
from notifyhub.messaging.models import (
    AccountGate,
    Batch,
    Delivery,
    DeliveryEvent,
    Dispatch,
    Halt,
    ProviderAccount,
)
from notifyhub.messaging.services.accounts import update_account
from notifyhub.messaging.tests.kit.backends import MoodyBackend, forget_moods, moody_account
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


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    MemoryBackend.clear()
    yield
    forget_moods()


def due_now() -> None:
    """Let the time pass that side batches wait for."""
    Batch.objects.filter(state=Batch.State.READY).update(not_before=timezone.now())


def accounts_of(dispatch: Dispatch) -> list[str]:
    """Return the names of the accounts that the messages ended with."""
    names = dict(ProviderAccount.objects.values_list("pk", "name"))
    rows = (
        Delivery.objects.filter(dispatch_id=dispatch.pk).order_by("id").values_list("account_id", flat=True)
    )
    return [names[number] for number in rows]


def transactional(count: int) -> Dispatch:
    return dispatch_to(make_recipients(*["auto"] * count), message_class="transactional")


def wait_of(dispatch: Dispatch) -> float:
    side = Batch.objects.get(dispatch=dispatch, state=Batch.State.READY)
    return (side.not_before - timezone.now()).total_seconds()


def test_what_an_account_does_not_take_goes_through_the_next_at_once() -> None:
    moody_account("First", "down", priority=1)
    moody_account("Second", "", priority=2)
    dispatch = transactional(3)
    drain()
    if states(dispatch) == {"planned": 3}:
        assert wait_of(dispatch) < 1
        due_now()
        drain()
    assert states(dispatch) == {"sent": 3}
    assert accounts_of(dispatch) == ["Second"] * 3
    assert len(MemoryBackend.outbox) == 3
    assert Delivery.objects.filter(dispatch_id=dispatch.pk).exclude(tries=2).count() == 0
    kinds = (
        DeliveryEvent.objects.filter(dispatch_id=dispatch.pk).order_by("id").values_list("kind", flat=True)
    )
    assert sorted(kinds) == ["retry"] * 3 + ["sent"] * 3
    assert_counts_are_the_ledger(dispatch)


def test_three_accounts_are_tried_in_turn_and_then_everything_waits() -> None:
    for place, name in enumerate(("First", "Second", "Third")):
        moody_account(name, "down", priority=place)
    dispatch = transactional(1)
    for _ in range(3):
        due_now()
        drain()
    tried = DeliveryEvent.objects.filter(dispatch_id=dispatch.pk).order_by("id")
    names = dict(ProviderAccount.objects.values_list("pk", "name"))
    assert [names[event.account_id] for event in tried] == ["First", "Second", "Third"]
    assert wait_of(dispatch) > 30
    for _ in range(4):
        due_now()
        drain()
    assert reasons(dispatch) == {"too_many_tries": 1}
    assert_counts_are_the_ledger(dispatch)


def test_a_message_in_doubt_keeps_its_account() -> None:
    first = moody_account("First", "silent", priority=1)
    moody_account("Second", "", priority=2)
    dispatch = transactional(2)
    drain()
    assert states(dispatch) == {"planned": 2}
    # Meanwhile the account is cut off: its messages wait for it, others do not.
    AccountGate.objects.filter(pk=first.pk).update(circuit="open", retry_at=timezone.now().replace(year=2100))
    due_now()
    drain()
    assert states(dispatch) == {"planned": 2}
    assert wait_of(dispatch) > 5
    assert [mood for mood, _to in MoodyBackend.asked] == ["silent"] * 2
    AccountGate.objects.filter(pk=first.pk).update(circuit="closed", retry_at=None)
    update_account(account_id=first.pk, version=None, values={"mood": ""})
    due_now()
    drain()
    assert states(dispatch) == {"sent": 2}
    assert accounts_of(dispatch) == ["First"] * 2
    assert_counts_are_the_ledger(dispatch)


def test_a_message_in_doubt_whose_account_is_gone_stays_in_doubt() -> None:
    first = moody_account("First", "silent", priority=1)
    moody_account("Second", "", priority=2)
    dispatch = transactional(1)
    drain()
    update_account(account_id=first.pk, version=None, active=False)
    due_now()
    drain()
    assert states(dispatch) == {"unknown": 1}
    assert reasons(dispatch) == {"ambiguous": 1}
    assert MemoryBackend.outbox == []
    assert_counts_are_the_ledger(dispatch)


@pytest.mark.parametrize(("mood", "state"), [("reject", "failed"), ("fail", "planned")])
def test_what_the_recipient_is_the_reason_for_does_not_change_the_account(mood: str, state: str) -> None:
    moody_account("First", mood, priority=1)
    moody_account("Second", "", priority=2)
    dispatch = transactional(2)
    drain()
    due_now()
    drain()
    assert states(dispatch) == {state: 2}
    assert {asked for asked, _to in MoodyBackend.asked} == {mood}
    assert MemoryBackend.outbox == []


def test_a_cancelled_message_that_may_have_arrived_is_not_called_cancelled() -> None:
    from notifyhub.messaging.services.dispatches import cancel_dispatch

    memory_account()
    dispatch = dispatch_to(
        make_recipients("silent@mail.example", "fail@mail.example"), message_class="transactional"
    )
    drain()
    assert states(dispatch) == {"planned": 2}
    cancel_dispatch(dispatch_id=dispatch.pk)
    due_now()
    drain()
    assert states(dispatch) == {"unknown": 1, "cancelled": 1}
    assert reasons(dispatch) == {"ambiguous": 1}
    assert_counts_are_the_ledger(dispatch)


def test_a_halted_account_is_out_of_the_choice() -> None:
    first = moody_account("First", "", priority=1)
    moody_account("Second", "", priority=2)
    halt = Halt.objects.create(scope="account", value=str(first.pk))
    assert Accounts().choose("email").account.name == "Second"  # type: ignore[union-attr]
    halt.lifted_at = timezone.now()
    halt.save()
    assert Accounts().choose("email").account.name == "First"  # type: ignore[union-attr]
    Halt.objects.create(scope="account", value=str(first.pk))
    update_account(account_id=ProviderAccount.objects.get(name="Second").pk, version=None, active=False)
    choice = Accounts().choose("email")
    assert (choice.blocked, choice.shut) == (True, True)
    dispatch = transactional(1)
    drain()
    assert states(dispatch) == {"planned": 1}


def test_an_empty_bucket_is_waited_for_and_only_equals_share() -> None:
    first = memory_account(name="First", priority=1, rate_per_second=1)
    memory_account(name="Spare", priority=2)
    from notifyhub.messaging.engine.accounts import take_tokens

    assert take_tokens(first.pk, 1) == 1
    choice = Accounts().choose("email")
    assert (choice.blocked, choice.shut) == (True, False)
    memory_account(name="Equal", priority=1)
    assert Accounts().choose("email").account.name == "Equal"  # type: ignore[union-attr]
