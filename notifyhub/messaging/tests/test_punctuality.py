"""How punctual sending was: counted once, and the late ones by what is on record."""

from datetime import datetime, timedelta

import pytest
import time_machine
from django.db.models import Sum
from django.utils import timezone

from notifyhub.messaging.models import (
    Bookmark,
    Delivery,
    Dispatch,
    Halt,
    ProviderAccount,
    Punctuality,
    SendingPolicy,
    SendTally,
)
from notifyhub.messaging.services.punctuality import BOUNDS, punctuality_lines, roll_up
from notifyhub.messaging.services.punctuality.rolling import FLOOR, fold_tallies
from notifyhub.messaging.tests.factories import make_delivery, make_dispatch, make_event
from notifyhub.messaging.tests.kit.sending import dispatch_to, drain, make_recipients, memory_account
from notifyhub.staff.services import audit

pytestmark = pytest.mark.django_db

WORKER = "bulk@one:17:abcdef"
NOW = timezone.now().replace(minute=30, second=0, microsecond=0) - timedelta(hours=2)


def handed_over(waited: timedelta, *, dispatch: Dispatch | None = None, due: datetime = NOW) -> Delivery:
    """Return a message of a service dispatch (on time within 120 s) that waited so long."""
    dispatch = dispatch or service()
    row = make_delivery(dispatch, 1, send_at=due, account_id=ProviderAccount.objects.all()[0].pk)
    make_event(row, at=due + waited, worker=WORKER, account_id=row.account_id)
    return row


def service(**fields: object) -> Dispatch:
    """Return a service dispatch that was accepted long ago."""
    made = make_dispatch(message_class="service", **fields)
    Dispatch.objects.filter(pk=made.pk).update(created_at=NOW - timedelta(days=1))
    return made


def service_line() -> Punctuality:
    """Roll everything up and return the one line of the service class."""
    roll_up()
    return Punctuality.objects.get(message_class="service")


def causes() -> dict[str, int]:
    """Roll everything up and return why service messages were late."""
    return dict(service_line().causes)


def test_a_message_counts_once_however_often_the_tick_runs() -> None:
    handed_over(timedelta(seconds=3))
    handed_over(timedelta(seconds=119))
    handed_over(timedelta(seconds=500))
    for _time in range(3):
        line = service_line()
    assert (line.hour, line.on_time, line.late) == (NOW.replace(minute=0), 2, 1)
    assert line.buckets[BOUNDS.index(2) + 1] == 1
    assert sum(line.buckets) == 3
    assert SendTally.objects.filter(kind="sent").aggregate(n=Sum("count"))["n"] == 3


def test_receipts_of_vendors_are_not_taken_for_what_workers_did() -> None:
    make_event(make_delivery(service(), 1), at=NOW)
    assert roll_up() == 0


def test_what_workers_hand_over_is_counted_on_time() -> None:
    memory_account()
    dispatch_to(make_recipients("auto", "auto"))
    drain()
    assert roll_up(upto=timezone.now()) == 2
    line = next(one for one in punctuality_lines() if one.message_class == "promotional")
    assert (line.total, line.share, line.target) == (2, 1.0, 1800)
    assert line.p50 is not None
    assert line.p50 < 60


def test_it_is_late_from_when_it_was_accepted_not_from_when_it_should_have_been() -> None:
    dispatch = service()
    Dispatch.objects.filter(pk=dispatch.pk).update(created_at=NOW + timedelta(hours=1))
    handed_over(timedelta(hours=1, seconds=30), dispatch=dispatch)
    assert causes() == {}


def test_quiet_hours_move_what_is_due() -> None:
    row = handed_over(timedelta(minutes=61))
    until = f"until={NOW + timedelta(minutes=60):%Y-%m-%dT%H:%M:%SZ} zone=Asia/Shanghai"
    make_event(row, "delayed", at=NOW, worker=WORKER, code="quiet", detail=until)
    line = service_line()
    assert (line.on_time, line.late) == (1, 0)
    assert line.hour == (NOW + timedelta(minutes=60)).replace(minute=0)


def test_a_late_one_without_anything_on_record_waited_for_a_worker() -> None:
    handed_over(timedelta(minutes=5))
    assert causes() == {"queue": 1}


def test_a_second_try_and_a_dead_worker_are_told_apart() -> None:
    tried, died = handed_over(timedelta(minutes=5)), handed_over(timedelta(minutes=6))
    make_event(tried, "retry", at=NOW, worker=WORKER, code="451")
    make_event(died, "retry", at=NOW, worker=WORKER, code="worker_died")
    assert causes() == {"retry": 1, "worker_died": 1}


def test_a_pause_is_the_cause_if_it_would_have_been_on_time_without() -> None:
    for minutes in (9, 1):
        dispatch = service()
        for verb, at in (("pause_dispatch", NOW), ("resume_dispatch", NOW + timedelta(minutes=minutes))):
            with time_machine.travel(at, tick=False):
                audit.record(verb=verb, obj=dispatch)
        handed_over(timedelta(minutes=10), dispatch=dispatch)
    assert causes() == {"paused": 1, "queue": 1}


def test_a_halt_is_a_pause() -> None:
    halt = Halt.objects.create(scope="class", value="service", reason="x")
    Halt.objects.filter(pk=halt.pk).update(placed_at=NOW, lifted_at=NOW + timedelta(minutes=9))
    handed_over(timedelta(minutes=10))
    assert causes() == {"paused": 1}


def test_an_open_circuit_and_a_full_account_are_on_record_minute_by_minute() -> None:
    row = handed_over(timedelta(minutes=5))
    SendTally.objects.create(
        minute=NOW + timedelta(minutes=1), kind="circuit", priority=0, account_id=row.account_id, count=3
    )
    channel = ProviderAccount.objects.get(pk=row.account_id).channel
    Delivery.objects.filter(pk=row.pk).update(channel=channel)
    assert causes() == {"circuit": 1}


def test_a_dispatch_with_a_rate_of_its_own_and_an_account_at_its_limit_are_slow_by_order() -> None:
    handed_over(timedelta(minutes=5), dispatch=service(rate_per_second=5))
    account = ProviderAccount.objects.all()[0]
    ProviderAccount.objects.filter(pk=account.pk).update(rate_per_second=1)
    late = NOW + timedelta(minutes=20)
    handed_over(timedelta(minutes=5), due=late)
    SendTally.objects.create(
        minute=late + timedelta(minutes=1), kind="sent", priority=1, account_id=account.pk, count=55
    )
    assert causes() == {"rate": 2}


def test_the_target_is_the_policy_of_the_class() -> None:
    SendingPolicy.objects.filter(message_class="service").update(target_seconds=1000)
    handed_over(timedelta(seconds=900))
    assert service_line().late == 0


def test_old_minutes_fold_into_sums_that_never_shrink() -> None:
    for hours in (0, 5, 100):
        for n in range(3):
            SendTally.objects.create(
                minute=NOW - timedelta(hours=hours, minutes=n),
                kind="sent",
                priority=1,
                node=f"bulk@{n}",
                message_class="service",
                count=10,
            )
    SendTally.objects.create(minute=NOW - timedelta(hours=5), kind="waiting", priority=1, count=7)
    for _time in range(2):
        fold_tallies()
    sent = SendTally.objects.filter(kind="sent")
    assert sent.aggregate(n=Sum("count"))["n"] == 90
    assert sent.get(minute=FLOOR).count == 30
    assert sent.count() == 5
    assert not SendTally.objects.filter(kind="waiting").exists()


def test_events_before_the_bookmark_are_left_alone() -> None:
    handed_over(timedelta(seconds=3))
    Bookmark.objects.create(name="events", upto=NOW + timedelta(minutes=10))
    assert roll_up() == 0
