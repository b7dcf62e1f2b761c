"""Ticks under their leases."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now
from django_celery_beat.models import PeriodicTask

from notifyhub.core.registry import Tick, ticks
from notifyhub.staff.models import NodeBeat, TickLease
from notifyhub.staff.services.schedule import NAME, schedule_ticks
from notifyhub.staff.services.ticks import run_due_ticks
from notifyhub.staff.tasks import canary_task, run_ticks_task

pytestmark = pytest.mark.django_db


@pytest.fixture
def only() -> Iterator[Any]:
    """Replace the registered ticks for the length of one test."""
    kept = ticks._entries
    ticks._entries = {}

    def register(name: str, run: Any, every: int = 60) -> None:
        ticks.register(name, Tick(run=run, every_seconds=every, label=name))

    yield register
    ticks._entries = kept


def test_a_tick_runs_when_it_is_due_and_not_before(only: Any) -> None:
    only("count", lambda: 3)

    assert run_due_ticks() == {"count": 3}
    assert run_due_ticks() == {}
    TickLease.objects.update(started_at=Now() - timedelta(seconds=61))
    assert run_due_ticks() == {"count": 3}

    lease = TickLease.objects.get()
    assert (lease.owner, lease.until, lease.did, lease.error) == ("", None, 3, "")


def test_a_failing_tick_stops_no_other_and_keeps_its_error(only: Any) -> None:
    def fail() -> int:
        raise ZeroDivisionError("by zero")

    only("first", fail)
    only("second", lambda: 1)

    assert run_due_ticks() == {"second": 1}
    assert TickLease.objects.get(name="first").error == "ZeroDivisionError: by zero"

    only("first", lambda: 0)
    run_due_ticks(due_or_not=True)
    assert TickLease.objects.get(name="first").error == ""


def test_a_tick_that_somebody_else_runs_is_left_alone_until_their_lease_ends(only: Any) -> None:
    only("count", lambda: 1)
    TickLease.objects.create(name="count", owner="dead", until=Now() + timedelta(seconds=60))

    assert run_due_ticks(due_or_not=True) == {}
    TickLease.objects.update(until=Now() - timedelta(seconds=1))
    assert run_due_ticks(due_or_not=True) == {"count": 1}


def test_a_tick_that_died_in_the_middle_does_not_wait_for_its_next_time(only: Any) -> None:
    only("count", lambda: 1, 3600)
    TickLease.objects.create(
        name="count", owner="dead", started_at=Now(), until=Now() + timedelta(seconds=60)
    )

    assert run_due_ticks() == {}
    TickLease.objects.update(until=Now() - timedelta(seconds=1))
    assert run_due_ticks() == {"count": 1}
    assert run_due_ticks() == {}


def test_a_run_that_lost_its_lease_writes_nothing_over_the_new_owner(only: Any) -> None:
    def lose() -> int:
        TickLease.objects.update(owner="other", until=Now() + timedelta(seconds=60))
        return 5

    only("count", lose)
    run_due_ticks()

    lease = TickLease.objects.get()
    assert (lease.owner, lease.did) == ("other", 0)


def test_the_command_runs_all_ticks_and_fails_when_one_does(only: Any, capsys: Any) -> None:
    only("count", lambda: 2)
    call_command("run_tick_once")
    assert capsys.readouterr().out == '{"count": 2}\n'

    only("broken", lambda: 1 // 0)
    with pytest.raises(CommandError, match="broken"):
        call_command("run_tick_once")


def test_beat_has_one_row_for_the_ticks_and_it_follows_the_settings(settings: Any) -> None:
    settings.TICK_SECONDS = 7
    schedule_ticks()
    schedule_ticks()

    row = PeriodicTask.objects.get(name=NAME)
    assert (row.interval.every, row.queue, row.expire_seconds) == (7, "housekeeping", 14)


def test_an_administrators_switch_off_outlives_a_migration() -> None:
    PeriodicTask.objects.filter(name=NAME).update(enabled=False)
    schedule_ticks()
    assert PeriodicTask.objects.get(name=NAME).enabled is False


def test_the_bell_for_the_ticks_is_beats_sign_of_life(only: Any) -> None:
    only("count", lambda: 1)
    run_ticks_task()
    assert NodeBeat.objects.get(name="beat").kind == "beat"
    assert TickLease.objects.get().did == 1


def test_a_canary_stamps_its_queue() -> None:
    canary_task("bulk", "2026-01-01T00:00:00+00:00")
    canary_task("bulk", "not a time")
    assert NodeBeat.objects.get(kind="canary").queues == "bulk"
