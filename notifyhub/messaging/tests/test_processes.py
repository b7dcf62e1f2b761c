"""Real workers, a real SMTP server, and kill -9: nothing is lost, nothing is doubled, doubt is shown."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from notifyhub.celery import app
from notifyhub.customers.tests.factories import make_topic
from notifyhub.messaging.engine import bells
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.engine.reaper import reap_expired_leases
from notifyhub.messaging.models import Batch, Delivery, DeliveryEvent, Dispatch, MessageCopy
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.services.dispatches import progress
from notifyhub.messaging.tests.kit.broker import broker
from notifyhub.messaging.tests.kit.people import make_people, sink_account
from notifyhub.messaging.tests.kit.processes import lines_of, running, sink, wait_for
from notifyhub.messaging.tests.kit.sending import assert_counts_are_the_ledger, dispatch_to, states

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

ROWS = 500
WINDOW = 100
ONCE = ("manage.py", "run_worker_once")
WORKER = ("-m", "celery", "-A", "notifyhub", "worker", "-Q", "bulk", "-c", "1", "-l", "WARNING")


@pytest.fixture
def accepted(tmp_path: Path) -> Iterator[Path]:
    """Run a server that takes its time, with an account that uses it; give the log of what it accepted."""
    with sink(tmp_path, delay=0.004) as (port, log):
        sink_account(port)
        yield log


def planned(**fields: Any) -> Dispatch:
    topic = make_topic() if fields.get("message_class", "promotional") == "promotional" else None
    make_people(ROWS, topic or make_topic())
    dispatch = dispatch_to(topic=topic, **fields)
    plan_dispatch(dispatch_id=dispatch.pk)
    return dispatch


def finish(dispatch: Dispatch, output: Path) -> None:
    """Run workers until the dispatch has ended; leases of killed ones must run out first."""
    ended = (Dispatch.State.FINISHED, Dispatch.State.CANCELLED)
    until = time.monotonic() + 90
    while Dispatch.objects.get(pk=dispatch.pk).state not in ended:
        assert time.monotonic() < until, output.read_text()[-3000:]
        with running(*ONCE, output=output) as worker:
            worker.wait(timeout=60)
        Batch.objects.filter(dispatch=dispatch, state=Batch.State.READY).update(not_before=timezone.now())


def kill_in_mid_dispatch(times: int, accepted: Path, output: Path) -> int:
    """Kill a worker that often, each time after it handed over some more; return how many were killed."""
    killed = 0
    for _ in range(times):
        before = len(lines_of(accepted))
        with running(*ONCE, output=output) as worker:
            wait_for(lambda b=before, w=worker: len(lines_of(accepted)) >= b + 30 or w.poll() is not None)  # type: ignore[misc]
            if worker.poll() is None:
                worker.kill()
                killed += 1
    return killed


def test_promotions_survive_kill_9_without_loss_and_without_doubles(accepted: Path, tmp_path: Path) -> None:
    dispatch = planned()
    output = tmp_path / "worker.log"
    killed = kill_in_mid_dispatch(3, accepted, output)
    assert killed
    finish(dispatch, output)
    found = states(dispatch)
    assert set(found) <= {"sent", "unknown"}
    assert sum(found.values()) == ROWS
    assert found.get("unknown", 0) <= killed * WINDOW
    assert_counts_are_the_ledger(dispatch)
    handed = Counter(line.split()[1] for line in lines_of(accepted))
    assert max(handed.values()) == 1
    ledger = {
        f"{dispatch.key.hex}.{row}@localhost": state
        for row, state in Delivery.objects.filter(dispatch_id=dispatch.pk).values_list("id", "state")
    }
    assert set(handed) <= set(ledger)
    missing = [name for name, state in ledger.items() if state == Delivery.State.SENT and name not in handed]
    assert missing == []


def test_assured_messages_survive_kill_9_with_at_most_one_more_copy(accepted: Path, tmp_path: Path) -> None:
    dispatch = planned(message_class="transactional")
    output = tmp_path / "worker.log"
    killed = kill_in_mid_dispatch(2, accepted, output)
    finish(dispatch, output)
    found = states(dispatch)
    assert found.get("sent", 0) + found.get("unknown", 0) == ROWS
    handed = Counter(line.split()[1] for line in lines_of(accepted))
    assert max(handed.values()) <= 2
    assert sum(count - 1 for count in handed.values()) <= killed * WINDOW
    # Only a row whose re-send was killed too may stay in doubt.
    assert len(handed) >= ROWS - found.get("unknown", 0)
    assert_counts_are_the_ledger(dispatch)


def test_a_worker_told_to_stop_drains_and_leaves_no_doubt(accepted: Path, tmp_path: Path) -> None:
    dispatch = planned()
    output = tmp_path / "celery.log"
    with running(*WORKER, output=output, NOTIFYHUB_LEASE_SECONDS="30") as worker:
        app.signature(bells.BULK).apply_async(queue="bulk")
        wait_for(lambda: len(lines_of(accepted)) >= 30)
        # Only the parent gets the signal; its child learns of it through shared memory.
        os.kill(worker.pid, signal.SIGTERM)
        worker.wait(timeout=30)
    settled = states(dispatch)
    assert set(settled) <= {"sent", "planned"}
    assert settled["sent"] == len(lines_of(accepted))
    assert not Batch.objects.filter(state=Batch.State.LEASED).exists()
    assert progress(dispatch_id=dispatch.pk).unknown == 0
    finish(dispatch, output)
    assert states(dispatch) == {"sent": ROWS}
    assert len(lines_of(accepted)) == ROWS


def test_a_killed_worker_child_is_replaced_and_the_rest_is_sent(accepted: Path, tmp_path: Path) -> None:
    dispatch = planned()
    output = tmp_path / "celery.log"
    with running(*WORKER, output=output) as worker:
        app.signature(bells.BULK).apply_async(queue="bulk")
        wait_for(lambda: len(lines_of(accepted)) >= 30)
        children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
    finish(dispatch, output)
    found = states(dispatch)
    assert sum(found.values()) == ROWS
    assert found.get("unknown", 0) <= WINDOW
    assert max(Counter(lines_of(accepted)).values()) == 1
    assert_counts_are_the_ledger(dispatch)


def planned_slowly(port: int) -> Dispatch:
    """Return a planned dispatch of one window, over a server that takes two and a half leases for it."""
    sink_account(port)
    topic = make_topic()
    make_people(100, topic)
    dispatch = dispatch_to(topic=topic)
    plan_dispatch(dispatch_id=dispatch.pk)
    return dispatch


def test_a_slow_server_does_not_cost_the_lease(tmp_path: Path) -> None:
    with sink(tmp_path, delay=0.05) as (port, log):
        dispatch = planned_slowly(port)
        with running(*ONCE, output=tmp_path / "worker.log") as worker:
            while worker.poll() is None:
                assert reap_expired_leases() == 0
                time.sleep(0.1)
        assert states(dispatch) == {"sent": 100}
        assert len(lines_of(log)) == 100


def test_a_worker_stopped_for_longer_than_its_lease_changes_nothing_when_it_wakes(tmp_path: Path) -> None:
    with sink(tmp_path, delay=0.05) as (port, log):
        dispatch = planned_slowly(port)
        output = tmp_path / "worker.log"
        with running(*ONCE, output=output) as worker:
            wait_for(lambda: len(lines_of(log)) >= 10)
            os.kill(worker.pid, signal.SIGSTOP)
            wait_for(lambda: reap_expired_leases() == 1)
            assert states(dispatch) == {"unknown": 100}
            before = len(lines_of(log))
            os.kill(worker.pid, signal.SIGCONT)
            worker.wait(timeout=60)
        assert "was taken away" in output.read_text()
        assert states(dispatch) == {"unknown": 100}
        # What they said can be shown though nobody knows whether it arrived.
        assert MessageCopy.objects.filter(dispatch_id=dispatch.pk).count() == 100
        # What it still learned is kept as events, and only as events: none of it is a state.
        late = DeliveryEvent.objects.filter(dispatch_id=dispatch.pk, kind="late")
        assert len(lines_of(log)) - 4 <= late.count() <= 100
        assert set(late.values_list("code", flat=True)) <= {"sent", "unknown"}
        # By its own clock the lease had run out: it handed over no more than was under way on two lines.
        assert len(lines_of(log)) <= before + 2
        assert_counts_are_the_ledger(dispatch)


def test_cut_database_connections_cost_no_message(tmp_path: Path) -> None:
    with sink(tmp_path, delay=0.05) as (port, log):
        dispatch = planned_slowly(port)
        output = tmp_path / "worker.log"
        with running(*ONCE, output=output, NOTIFYHUB_LEASE_SECONDS="60") as worker:
            wait_for(lambda: len(lines_of(log)) >= 10)
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                assert cursor.fetchone()[0] >= 1
            worker.wait(timeout=60)
        assert "trying again" in output.read_text()
        assert states(dispatch) == {"sent": 100}
        assert len(lines_of(log)) == 100
        assert_counts_are_the_ledger(dispatch)


@pytest.mark.parametrize("busy", ["a slow one", "a slow one rung for often", "a large one"])
def test_a_new_dispatch_is_planned_and_sent_while_another_is_under_way(tmp_path: Path, busy: str) -> None:
    """By the one process that plans and sends: it does not keep a task of fifteen seconds for itself."""
    rows, fields = (ROWS, {}) if busy == "a large one" else (30, {"rate_per_second": 1})
    with sink(tmp_path, delay=0.04) as (port, _log), broker(tmp_path) as server:
        sink_account(port, connections=2)
        topic = make_topic()
        people = make_people(rows, topic)
        with running(*WORKER, output=tmp_path / "worker.log", BROKER_URL=server.url):
            first = dispatch_to(people, topic=topic, title="First", **fields)
            wait_for(lambda: states(first).get("sent", 0) > 0)
            for _ in range(60 if busy.endswith("often") else 0):
                bells.ring_for(Priority.BULK)
            second = dispatch_to(people[:5], topic=topic, text={"subject": "New", "body": "Just now"})
            wait_for(lambda: states(second).get("sent", 0) == 5)
            assert states(first)["planned"] > 0
