"""Pause, resume, cancel and expiry: honoured by the next window, and brought to their end."""

from datetime import timedelta

import pytest
from django.utils import timezone

from notifyhub.core.errors import Refused
from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.models import Batch, DeliveryEvent, Dispatch
from notifyhub.messaging.services.dispatches import (
    cancel_dispatch,
    pause_dispatch,
    progress,
    resume_dispatch,
)
from notifyhub.messaging.tests.kit.sending import (
    assert_counts_are_the_ledger,
    dispatch_to,
    drain,
    make_recipients,
    memory_account,
    states,
    work,
)
from notifyhub.staff.models import AuditEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def dispatch() -> Dispatch:
    memory_account()
    make_recipients(*["auto"] * 4)
    made = dispatch_to()
    plan_dispatch(dispatch_id=made.pk)
    return made


def test_a_paused_dispatch_is_left_alone_until_it_is_resumed(dispatch: Dispatch) -> None:
    pause_dispatch(dispatch_id=dispatch.pk, reason="Wrong price")
    drain()
    assert MemoryBackend.outbox == []
    resume_dispatch(dispatch_id=dispatch.pk)
    drain()
    assert states(dispatch) == {"sent": 4}
    verbs = AuditEntry.objects.filter(object_type="messaging.dispatch").values_list("verb", "reason")
    assert set(verbs) >= {("pause_dispatch", "Wrong price"), ("resume_dispatch", "")}


def test_a_pause_in_mid_batch_gives_the_batch_back(dispatch: Dispatch) -> None:
    work(window=2, seconds=0)
    pause_dispatch(dispatch_id=dispatch.pk, reason="Look at it")
    work(window=2)
    assert len(MemoryBackend.outbox) == 2
    batch = Batch.objects.get(dispatch=dispatch)
    assert (batch.state, batch.tries) == (Batch.State.READY, 0)
    resume_dispatch(dispatch_id=dispatch.pk)
    drain()
    assert states(dispatch) == {"sent": 4}
    assert_counts_are_the_ledger(dispatch)


def test_cancelling_settles_what_is_left(dispatch: Dispatch) -> None:
    work(window=2, seconds=0)
    cancel_dispatch(dispatch_id=dispatch.pk, reason="Wrong list")
    assert progress(dispatch_id=dispatch.pk).open == 2
    drain()
    dispatch.refresh_from_db()
    assert dispatch.state == Dispatch.State.CANCELLED
    assert states(dispatch) == {"sent": 2, "cancelled": 2}
    assert DeliveryEvent.objects.filter(dispatch_id=dispatch.pk, kind="cancelled").count() == 2
    assert_counts_are_the_ledger(dispatch)


def test_a_scheduled_dispatch_is_cancelled_at_once() -> None:
    later = dispatch_to(send_at=timezone.now() + timedelta(days=1))
    assert cancel_dispatch(dispatch_id=later.pk).state == Dispatch.State.CANCELLED


@pytest.mark.parametrize("paused", [False, True])
def test_what_expired_is_not_sent_any_more(dispatch: Dispatch, paused: bool) -> None:
    if paused:
        pause_dispatch(dispatch_id=dispatch.pk, reason="Later")
    Dispatch.objects.filter(pk=dispatch.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    drain()
    assert states(dispatch) == {"expired": 4}
    assert_counts_are_the_ledger(dispatch)


def test_moves_that_make_no_sense_are_refused(dispatch: Dispatch) -> None:
    with pytest.raises(Refused):
        resume_dispatch(dispatch_id=dispatch.pk)
    drain()
    for move in (
        lambda: pause_dispatch(dispatch_id=dispatch.pk, reason="Too late"),
        lambda: cancel_dispatch(dispatch_id=dispatch.pk),
        lambda: pause_dispatch(dispatch_id=0, reason="Nobody"),
    ):
        with pytest.raises(Refused):
            move()


def test_a_cancelled_plan_is_not_continued() -> None:
    make_recipients("auto")
    made = dispatch_to()
    cancel_dispatch(dispatch_id=made.pk)
    drain()
    made.refresh_from_db()
    assert made.state == Dispatch.State.CANCELLED
    assert states(made) == {}
