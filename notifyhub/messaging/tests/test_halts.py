"""Stops that a person orders: nothing of what they cover leaves until they are lifted."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from notifyhub.core.errors import Refused
from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.models import Batch, Dispatch, Halt
from notifyhub.messaging.services.dispatches import cancel_dispatch
from notifyhub.messaging.services.halts import (
    cancel_overdue,
    count_overdue,
    halts_in_force,
    held_before,
    lift_halt,
    place_halt,
    release_overdue,
    start_cancelling_overdue,
)
from notifyhub.messaging.tests.kit.sending import (
    assert_counts_are_the_ledger,
    dispatch_to,
    drain,
    make_recipients,
    memory_account,
    states,
)
from notifyhub.staff.models import AuditEntry, Job, NodeBeat
from notifyhub.staff.nodes import node_name
from notifyhub.staff.services.jobs import run_job

pytestmark = pytest.mark.django_db


def planned(**fields: Any) -> Dispatch:
    """Return a planned dispatch to two customers over an account that remembers."""
    made = dispatch_to(make_recipients("auto", "auto"), **fields)
    plan_dispatch(dispatch_id=made.pk)
    return made


def test_all_promotions_stop_and_go_on_and_the_trail_says_who() -> None:
    memory_account()
    offers, codes = planned(), planned(message_class="transactional")
    halt = place_halt(scope="class", value="promotional", reason="Wrong price everywhere")
    drain()
    assert (states(offers), states(codes)) == ({"planned": 2}, {"sent": 2})
    (line,) = halts_in_force()
    assert (line.words, line.reason) == ("All promotions stand still.", "Wrong price everywhere")
    lift_halt(halt_id=halt.pk)
    drain()
    assert states(offers) == {"sent": 2}
    assert halts_in_force() == []
    verbs = AuditEntry.objects.filter(object_type="messaging.halt").values_list("verb", "reason")
    assert set(verbs) == {("place_halt", "Wrong price everywhere"), ("lift_halt", "")}


@pytest.mark.parametrize(("scope", "value"), [("all", ""), ("channel", "email")])
def test_a_wider_stop_covers_every_class(scope: str, value: str) -> None:
    memory_account()
    codes = planned(message_class="transactional")
    place_halt(scope=scope, value=value, reason="Look into it")
    drain()
    assert MemoryBackend.outbox == []
    lift_halt(halt_id=Halt.objects.get().pk)
    drain()
    assert states(codes) == {"sent": 2}


def test_a_drained_worker_takes_nothing_new() -> None:
    memory_account()
    dispatch = planned()
    NodeBeat.objects.create(name=node_name(), kind="worker", queues="bulk", at=timezone.now())
    halt = place_halt(scope="worker", value=node_name(), reason="New disk")
    drain()
    assert states(dispatch) == {"planned": 2}
    lift_halt(halt_id=halt.pk)
    drain()
    assert states(dispatch) == {"sent": 2}


def test_a_stop_does_not_keep_a_dispatch_from_being_cancelled() -> None:
    memory_account()
    dispatch = planned()
    place_halt(scope="all", reason="Look into it")
    cancel_dispatch(dispatch_id=dispatch.pk)
    drain()
    assert states(dispatch) == {"cancelled": 2}


def test_stops_that_make_no_sense_are_refused_in_words() -> None:
    place_halt(scope="all", reason="Look into it")
    for fields, words in (
        ({"scope": "all", "reason": "Twice"}, "stands still already"),
        ({"scope": "all", "reason": " "}, "Say why"),
        ({"scope": "all", "value": "x", "reason": "x"}, "nothing of that name"),
        ({"scope": "class", "value": "spam", "reason": "x"}, "nothing of that name"),
        ({"scope": "channel", "value": "", "reason": "x"}, "nothing of that name"),
        ({"scope": "account", "value": "٣", "reason": "x"}, "nothing of that name"),
        ({"scope": "account", "value": "99999999999", "reason": "x"}, "nothing of that name"),
        ({"scope": "worker", "value": "nobody@home", "reason": "x"}, "nothing of that name"),
        ({"scope": "restored", "reason": "x"}, "Choose what"),
        ({"scope": "moon", "reason": "x"}, "Choose what"),
    ):
        with pytest.raises(Refused, match=words):
            place_halt(**fields)
    lift_halt(halt_id=Halt.objects.get().pk)
    with pytest.raises(Refused, match="already"):
        lift_halt(halt_id=Halt.objects.get().pk)


@pytest.fixture
def restored() -> tuple[Dispatch, Dispatch]:
    """A dispatch that was due before a restore, and one accepted after it."""
    memory_account()
    old = planned()
    Batch.objects.filter(dispatch=old).update(not_before=timezone.now() - timedelta(hours=2))
    Halt.objects.create(scope="restored", reason="Restored from a backup")
    new = planned(message_class="transactional")
    return old, new


def test_after_a_restore_only_what_is_new_leaves_until_somebody_says_send(
    restored: tuple[Dispatch, Dispatch],
) -> None:
    old, new = restored
    drain()
    assert (states(old), states(new)) == ({"planned": 2}, {"sent": 2})
    before = held_before()
    assert before is not None
    assert count_overdue(before=before) == 2
    assert release_overdue() == 2
    drain()
    assert states(old) == {"sent": 2}
    assert AuditEntry.objects.filter(verb="release_overdue").count() == 1


def test_after_a_restore_somebody_may_cancel_what_is_overdue_and_nothing_else(
    restored: tuple[Dispatch, Dispatch],
) -> None:
    old, new = restored
    later = dispatch_to(make_recipients("auto"), send_at=timezone.now() + timedelta(hours=1))
    job = start_cancelling_overdue(user=None)
    with pytest.raises(Refused, match="already"):
        start_cancelling_overdue(user=None)
    assert run_job(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.done) == (Job.State.DONE, 2)
    drain()
    assert (states(old), states(new)) == ({"cancelled": 2}, {"sent": 2})
    old.refresh_from_db()
    later.refresh_from_db()
    assert old.state == Dispatch.State.FINISHED
    assert later.state == Dispatch.State.SCHEDULED
    assert_counts_are_the_ledger(old)
    for decide in (release_overdue, cancel_overdue):
        with pytest.raises(Refused, match="already"):
            decide()
