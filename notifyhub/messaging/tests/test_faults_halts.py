"""A halt stops what is leased at its next window, and nothing that it does not cover."""

from datetime import timedelta

import pytest
from django.utils import timezone

from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.engine.lease import take_lease
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.engine.window_sql import read_window
from notifyhub.messaging.models import Batch, Dispatch, Halt
from notifyhub.messaging.services.dispatches import cancel_dispatch
from notifyhub.messaging.tests.kit.sending import (
    assert_counts_are_the_ledger,
    dispatch_to,
    drain,
    make_recipients,
    memory_account,
    states,
    work,
)

pytestmark = pytest.mark.django_db

COVERING = [
    {"scope": "all"},
    {"scope": "class", "value": "promotional"},
    {"scope": "channel", "value": "email"},
    {"scope": "worker", "value": "host"},
    {"scope": "restored"},
]
OTHER = [
    {"scope": "class", "value": "service"},
    {"scope": "channel", "value": "sms"},
    {"scope": "worker", "value": "ho"},
    {"scope": "account", "value": "0"},
]


@pytest.fixture
def dispatch() -> Dispatch:
    memory_account()
    make_recipients(*["auto"] * 4)
    made = dispatch_to()
    plan_dispatch(dispatch_id=made.pk)
    return made


def halted_in_mid_batch(halt: dict[str, str]) -> bool:
    """Lease, place the halt, and say what the next window of the lease hears."""
    lease = take_lease(owner="host:1:a", priority=1, seconds=60, window=100, blocked=[])
    assert lease is not None
    Halt.objects.create(**halt)
    rows = read_window(lease.batches, take=2, owner="host:1:a")
    lease.give_back()
    again = take_lease(owner="host:1:a", priority=1, seconds=60, window=100, blocked=[])
    assert (again is None) is rows[0]["halted"]
    return bool(rows[0]["halted"])


@pytest.mark.parametrize("halt", COVERING)
def test_what_it_covers_stops_at_the_next_window(dispatch: Dispatch, halt: dict[str, str]) -> None:
    assert halted_in_mid_batch(halt)


@pytest.mark.parametrize("halt", OTHER)
def test_what_it_does_not_cover_goes_on(dispatch: Dispatch, halt: dict[str, str]) -> None:
    assert not halted_in_mid_batch(halt)


def test_after_a_restore_only_what_was_overdue_waits(dispatch: Dispatch) -> None:
    Halt.objects.create(scope="restored")
    Batch.objects.filter(dispatch=dispatch).update(not_before=timezone.now() + timedelta(milliseconds=1))
    drain()
    assert states(dispatch) == {"sent": 4}


def test_a_halt_in_mid_batch_and_its_end(dispatch: Dispatch) -> None:
    work(window=2, seconds=0)
    halt = Halt.objects.create(scope="all", reason="Wrong price")
    drain()
    assert len(MemoryBackend.outbox) == 2
    batch = Batch.objects.get(dispatch=dispatch)
    assert (batch.state, batch.tries) == (Batch.State.READY, 0)
    halt.lifted_at = timezone.now()
    halt.save()
    drain()
    assert states(dispatch) == {"sent": 4}
    assert_counts_are_the_ledger(dispatch)


def test_what_stands_still_can_be_cancelled(dispatch: Dispatch) -> None:
    Halt.objects.create(scope="all")
    cancel_dispatch(dispatch_id=dispatch.pk)
    drain()
    dispatch.refresh_from_db()
    assert dispatch.state == Dispatch.State.CANCELLED
    assert states(dispatch) == {"cancelled": 4}
