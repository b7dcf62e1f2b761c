"""kill -9 and SIGTERM to Celery workers, of every kind and many times in one dispatch."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection

from notifyhub.messaging.models import Batch, Dispatch
from notifyhub.messaging.tests.kit.people import planned_crowd, sink_account
from notifyhub.messaging.tests.kit.processes import celery, children_of, lines_of, running, sink, tick_until
from notifyhub.messaging.tests.kit.proof import ENDED, assert_honest
from notifyhub.messaging.tests.kit.sending import states

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

ROWS = 1500
WINDOW = 100


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """Run a server that takes its time, with an account that uses it; give the log of what it accepted."""
    with sink(tmp_path, delay=0.004) as (port, accepted):
        sink_account(port)
        yield accepted


def ended(dispatch: Dispatch) -> Callable[[], bool]:
    return lambda: Dispatch.objects.get(pk=dispatch.pk).state in ENDED


def more_than(log: Path, count: int, dispatch: Dispatch) -> Callable[[], bool]:
    """Return the question whether so many more were handed over, or all is done."""
    before = len(lines_of(log))
    return lambda: len(lines_of(log)) >= before + count or ended(dispatch)()


@pytest.mark.parametrize("message_class", ["promotional", "transactional"])
def test_kill_9_of_a_child_of_the_worker_and_of_all(log: Path, tmp_path: Path, message_class: str) -> None:
    dispatch = planned_crowd(ROWS, suppressed=15, message_class=message_class)
    output = tmp_path / "worker.log"
    killed = 0
    with running(*celery(size=2), output=output) as worker:
        for _ in range(2):
            tick_until(more_than(log, 40, dispatch))
            os.kill(children_of(worker.pid)[0], signal.SIGKILL)
            killed += 1
    # The end of the block killed all: its two children may have been at work.
    killed += 2
    with running(*celery(size=2), output=output) as worker:
        tick_until(more_than(log, 40, dispatch))
        os.kill(worker.pid, signal.SIGKILL)
    killed += 2
    with running(*celery(size=2), output=output):
        tick_until(ended(dispatch))
    once = message_class == "promotional"
    found = assert_honest(
        dispatch,
        log,
        rows=ROWS,
        unknown=killed * WINDOW,
        doubles=0 if once else killed * WINDOW,
    )
    assert found["skipped"] == 15
    if not once:
        # In doubt is only what was killed again while it was sent once more.
        assert found.get("unknown", 0) <= 2 * WINDOW


def test_a_stop_signal_to_the_whole_group_leaves_no_doubt_and_no_lease(log: Path, tmp_path: Path) -> None:
    dispatch = planned_crowd(ROWS)
    output = tmp_path / "worker.log"
    with running(*celery(size=2), output=output, NOTIFYHUB_LEASE_SECONDS="30") as worker:
        tick_until(more_than(log, 40, dispatch))
        os.killpg(worker.pid, signal.SIGTERM)
        worker.wait(timeout=30)
        handed = len(lines_of(log))
        assert not Batch.objects.filter(state=Batch.State.LEASED).exists()
        assert states(dispatch) == {"sent": handed, "planned": ROWS - handed}
    assert handed < ROWS
    with running(*celery(size=2), output=output):
        tick_until(ended(dispatch))
    assert assert_honest(dispatch, log, rows=ROWS) == {"sent": ROWS}


def test_one_child_told_to_end_ends_its_task_first_and_is_replaced(log: Path, tmp_path: Path) -> None:
    dispatch = planned_crowd(ROWS)
    with running(*celery(), output=tmp_path / "worker.log", NOTIFYHUB_LEASE_SECONDS="30") as worker:
        tick_until(more_than(log, 40, dispatch))
        (child,) = children_of(worker.pid)
        os.kill(child, signal.SIGTERM)
        tick_until(ended(dispatch))
        assert child not in children_of(worker.pid)
    assert assert_honest(dispatch, log, rows=ROWS) == {"sent": ROWS}


def test_database_connections_cut_again_and_again(log: Path, tmp_path: Path) -> None:
    dispatch = planned_crowd(ROWS, suppressed=15)
    cuts = 0
    with running(*celery(size=2), output=tmp_path / "worker.log", NOTIFYHUB_LEASE_SECONDS="8"):
        while not ended(dispatch)():
            tick_until(more_than(log, 150, dispatch))
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                cuts += cursor.fetchone()[0]
            time.sleep(0.1)
    assert cuts >= 3
    # A window that was handed over is settled over a new connection; one that was not is taken back.
    found = assert_honest(dispatch, log, rows=ROWS)
    assert found == {"sent": ROWS - 15, "skipped": 15}
