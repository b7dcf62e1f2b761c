"""The periodic work, the tasks and the doctor."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from notifyhub.core.registry import doctor_checks, segment_fields, ticks
from notifyhub.messaging import doctor
from notifyhub.messaging.engine.finish import finish_dispatches
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.models import AccountGate, Batch, DeliveryEvent, Dispatch, SendingPolicy
from notifyhub.messaging.signals import deliveries_settled, dispatch_finished
from notifyhub.messaging.tests.kit.sending import dispatch_to, drain, make_recipients, memory_account, states
from notifyhub.messaging.ticks import make_partitions, plan_due_dispatches, ring_for_due_work

pytestmark = pytest.mark.django_db

EVERY = (
    *("plan", "reap", "ring", "chain", "finish", "partitions", "receipts", "lookup", "forget_receipts"),
    *("tally", "fold", "retention"),
)


def test_every_tick_is_registered_and_may_run_at_any_time() -> None:
    names = {name for name, _ in ticks.items() if name.startswith("messaging.")}
    assert names >= {f"messaging.{one}" for one in EVERY}
    for _ in range(2):
        call_command("run_tick_once")


def test_partitions_are_made_ahead_with_room_for_hot_updates() -> None:
    make_partitions()
    make_partitions()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, reloptions::text FROM pg_class WHERE relname ~ '^messaging_delivery_\\d+$'"
        )
        found = dict(cursor.fetchall())
    assert len(found) >= 2
    assert all("fillfactor=45" in (options or "") for options in found.values())


def test_the_tick_has_scheduled_dispatches_planned_and_rings_for_what_is_due() -> None:
    memory_account()
    make_recipients("auto")
    dispatch = dispatch_to(send_at=timezone.now() + timedelta(hours=1))
    assert plan_due_dispatches() == 0
    Dispatch.objects.filter(pk=dispatch.pk).update(send_at=timezone.now())
    assert plan_due_dispatches() == 1
    assert ring_for_due_work() == 0
    plan_dispatch(dispatch_id=dispatch.pk)
    assert ring_for_due_work() == 1


def test_a_dispatch_is_not_finished_while_anything_of_it_waits() -> None:
    memory_account()
    make_recipients("fail@mail.example", "auto")
    dispatch = dispatch_to()
    drain()
    assert states(dispatch) == {"planned": 1, "sent": 1}
    assert finish_dispatches() == 0
    dispatch.refresh_from_db()
    assert (dispatch.state, dispatch.sent, dispatch.planned) == (Dispatch.State.RUNNING, 1, 2)


def test_a_dispatch_to_nobody_finishes() -> None:
    dispatch = dispatch_to([], message_class="transactional")
    drain()
    dispatch.refresh_from_db()
    assert dispatch.state == Dispatch.State.FINISHED


def test_a_rule_that_is_no_longer_understood_ends_its_dispatch_with_the_reason() -> None:
    city = segment_fields.get("city")
    assert city is not None
    segment_fields.register("gone", city)
    rule = {"field": "gone", "operator": "in", "value": ["上海"]}
    dispatch = dispatch_to(audience={"kind": "rule", "rule": rule})
    segment_fields._entries.pop("gone")
    drain()
    dispatch.refresh_from_db()
    assert dispatch.state == Dispatch.State.CANCELLED
    assert "gone" in dispatch.pause_reason


def test_other_apps_are_told_what_was_settled_and_what_ended() -> None:
    memory_account()
    make_recipients("auto", "reject@mail.example")
    heard: list[tuple[int, int]] = []
    ended: list[int] = []

    def settled(dispatch_id: int, ids: list[int], state: int, **kwargs: object) -> None:
        heard.append((len(ids), state))

    def finished(dispatch_id: int, **kwargs: object) -> None:
        ended.append(dispatch_id)

    deliveries_settled.connect(settled)
    dispatch_finished.connect(finished)
    dispatch = dispatch_to()
    drain()
    assert sorted(heard) == [(1, 20), (1, 30)]
    assert ended == [dispatch.pk]


def test_every_class_has_its_policy_and_every_channel_its_sandbox() -> None:
    assert SendingPolicy.objects.count() == 4
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT channel) FROM messaging_provideraccount WHERE backend = 'sandbox'"
        )
        assert cursor.fetchone()[0] == 7


def test_the_doctor_is_content_with_a_quiet_house() -> None:
    names = {name for name, _ in doctor_checks.items()}
    assert {"queue", "deliveries", "leases", "circuits", "unknown"} <= names
    checks = (doctor.check_queue, doctor.check_leases, doctor.check_circuits, doctor.check_unknown)
    assert {check().level for check in checks} == {"ok"}


def test_the_doctor_sees_what_waits_what_ran_out_what_is_shut_and_what_is_in_doubt() -> None:
    account = memory_account()
    make_recipients("silent@mail.example", "auto")
    drained = dispatch_to()
    drain()
    AccountGate.objects.filter(account=account).update(circuit="open")
    waiting = dispatch_to()
    plan_dispatch(dispatch_id=waiting.pk)
    long_ago = timezone.now() - timedelta(hours=1)
    Batch.objects.filter(dispatch=waiting).update(not_before=long_ago)
    queue = doctor.check_queue()
    assert queue.level == "warning"
    assert queue.data["bulk"]["messages"] == 2
    assert queue.data["realtime"] == {"batches": 0, "messages": 0, "oldest_seconds": 0.0}
    Batch.objects.filter(dispatch=waiting).update(state=1, lease_until=long_ago)
    assert doctor.check_leases().level == "error"
    assert doctor.check_circuits().data == {account.name: "open"}
    assert doctor.check_unknown().data["unknown"] == 1
    assert doctor.check_today().data == {"sent": 1, "unknown": 1}
    assert DeliveryEvent.objects.filter(dispatch_id=drained.pk).count() == 2
