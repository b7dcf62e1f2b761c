"""Two beats as real processes over one house: no tick runs twice at once, no reminder goes out twice."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from notifyhub.customers.tests.factories import make_customer
from notifyhub.messaging.models import Delivery, Dispatch
from notifyhub.messaging.tests.kit.people import sink_account
from notifyhub.messaging.tests.kit.processes import celery, lines_of, running, sink, wait_for
from notifyhub.reminders.models import Reminder, ReminderRule
from notifyhub.reminders.tests.factories import make_order, make_rule, spec
from notifyhub.staff.models import NodeBeat, TickLease
from notifyhub.staff.services.schedule import schedule_ticks

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

BEAT = ("-m", "celery", "-A", "notifyhub", "beat", "--pidfile=", "-l", "WARNING")
OFTEN = {"NOTIFYHUB_TICK_SECONDS": "1", "NOTIFYHUB_LEASE_SECONDS": "2"}
OURS = ("plan_reminders", "send_reminders")


def make_due(count: int) -> None:
    """Make orders whose reminder is due since a minute, and have our ticks look at once."""
    due = timezone.now() + timedelta(hours=2) - timedelta(minutes=1)
    for n in range(count):
        customer = make_customer(email=f"p{Delivery.objects.count()}-{n}@mail.example")
        make_order(customer, due_at=due)
    TickLease.objects.filter(name__in=OURS).update(started_at=None)
    # A rule is planned once in a while; this one was long ago.
    ReminderRule.objects.exclude(planned_at=None).update(planned_at=timezone.now() - timedelta(hours=1))


def sent(log: Path, count: int) -> Callable[[], bool]:
    """Return the question whether so many were handed over; asking makes the sending due, on and on."""

    def ask() -> bool:
        TickLease.objects.filter(name="send_reminders", owner="").update(started_at=None)
        return len(lines_of(log)) >= count

    return ask


@contextmanager
def runs_written_down() -> Iterator[None]:
    """Keep the beginning and the end of every tick, whoever runs it."""
    with connection.cursor() as cursor:
        cursor.execute(_WRITE_DOWN)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(
                "DROP TRIGGER tick_runs ON staff_ticklease; DROP FUNCTION tick_runs(); DROP TABLE tick_run"
            )


_WRITE_DOWN = """
CREATE TABLE tick_run (
    id bigint GENERATED ALWAYS AS IDENTITY, name text, before text, owner text, ran_out boolean);
CREATE FUNCTION tick_runs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO tick_run (name, before, owner, ran_out) VALUES (NEW.name, '', NEW.owner, FALSE);
    ELSIF NEW.owner <> OLD.owner THEN
        INSERT INTO tick_run (name, before, owner, ran_out)
        VALUES (NEW.name, OLD.owner, NEW.owner, OLD.until <= clock_timestamp());
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER tick_runs AFTER INSERT OR UPDATE ON staff_ticklease FOR EACH ROW EXECUTE FUNCTION tick_runs();
"""


def taken_over() -> list[tuple[Any, ...]]:
    """Return (tick, whose it was, whether that lease had run out) of runs that began in another's lease."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, before, ran_out FROM tick_run WHERE before <> '' AND owner <> ''")
        return cursor.fetchall()


def test_two_beats_one_of_them_killed_and_a_tick_that_dies_in_the_middle(
    tmp_path: Path, settings: Any
) -> None:
    settings.TICK_SECONDS = 1
    schedule_ticks()
    make_rule(spec(2, "hours", channels=("email",)))
    output = tmp_path / "house.log"
    with ExitStack() as stack:
        port, log = stack.enter_context(sink(tmp_path))
        sink_account(port)
        stack.enter_context(runs_written_down())
        make_due(20)
        worker = celery(queues="realtime,bulk,housekeeping", size=2)
        stack.enter_context(running(*worker, output=output, **OFTEN))
        first, _second = (stack.enter_context(running(*BEAT, output=output, **OFTEN)) for _ in range(2))
        wait_for(sent(log, 20))

        os.killpg(first.pid, signal.SIGKILL)
        make_due(10)
        wait_for(sent(log, 30))
        stack.enter_context(running(*BEAT, output=output, **OFTEN))

        with psycopg.connect(**connection.get_connection_params()) as gate:
            gate.execute("LOCK TABLE reminders_reminder IN ACCESS EXCLUSIVE MODE")
            make_due(10)
            wait_for(lambda: bool(owner_of("plan_reminders")))
            dead = owner_of("plan_reminders")
            os.kill(int(dead.split(":")[1]), signal.SIGKILL)
        wait_for(sent(log, 40))
        wait_for(lambda: set(Dispatch.objects.values_list("state", flat=True)) == {Dispatch.State.FINISHED})
        # Only the dead one's ticks were taken from somebody, and not before their lease had run out.
        assert ("plan_reminders", dead, True) in taken_over()
        assert {(whose, ran_out) for _, whose, ran_out in taken_over()} == {(dead, True)}
    assert set(Reminder.objects.values_list("state", flat=True)) == {"dispatched"}
    assert Reminder.objects.count() == Delivery.objects.count() == 40
    assert max(Counter(lines_of(log)).values()) == 1
    assert len({line.split()[0] for line in lines_of(log)}) == len(lines_of(log)) == 40
    assert NodeBeat.objects.filter(name="beat").exists()


def owner_of(tick: str) -> str:
    """Return who runs this tick now, or an empty text."""
    return str(TickLease.objects.get(name=tick).owner)
