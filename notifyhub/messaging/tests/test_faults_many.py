"""Several workers, hosts and beats at once over one dispatch: nothing doubled, stop means stop."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from django.conf import settings

from notifyhub.messaging.models import AccountGate, Batch, Delivery, DeliveryEvent, Dispatch
from notifyhub.messaging.services.dispatches import cancel_dispatch, pause_dispatch, resume_dispatch
from notifyhub.messaging.tests.kit.people import planned_crowd, sink_account
from notifyhub.messaging.tests.kit.processes import (
    celery,
    lines_of,
    running,
    sink,
    tick,
    tick_until,
    wait_for,
)
from notifyhub.messaging.tests.kit.proof import ENDED, assert_honest
from notifyhub.messaging.tests.kit.sending import dispatch_to, states

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

ROWS = 1500
WINDOW = 100


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """Run a server that takes its time, with an account that uses it; give the log of what it accepted."""
    with sink(tmp_path, delay=0.004) as (port, accepted):
        sink_account(port)
        yield accepted


@contextlib.contextmanager
def two_hosts(tmp_path: Path, **more: str) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Run two workers that share nothing but database and broker: names, folders and data are their own."""
    with contextlib.ExitStack() as stack:
        hosts = []
        for name in ("send-01", "send-02"):
            home = tmp_path / name
            (home / "data").mkdir(parents=True, exist_ok=True)
            own = {"NOTIFYHUB_DATA_DIR": str(home / "data"), "PYTHONPATH": str(settings.BASE_DIR), **more}
            command = celery("-n", f"bulk@{name}")
            hosts.append(stack.enter_context(running(*command, output=home / "log", cwd=home, **own)))
        yield hosts


def ended(dispatch: Dispatch) -> Callable[[], bool]:
    return lambda: Dispatch.objects.get(pk=dispatch.pk).state in ENDED


def quiet() -> bool:
    return not Batch.objects.filter(state=Batch.State.LEASED).exists()


def test_pause_resume_and_cancel_in_mid_batch_under_two_workers(log: Path, tmp_path: Path) -> None:
    dispatch = planned_crowd(ROWS, suppressed=15)
    with two_hosts(tmp_path, NOTIFYHUB_LEASE_SECONDS="10"):
        tick_until(lambda: len(lines_of(log)) >= 100)
        pause_dispatch(dispatch_id=dispatch.pk, reason="Wrong price")
        wait_for(quiet)
        paused_at = len(lines_of(log))
        assert paused_at < ROWS / 2
        for _ in range(10):
            tick()
        assert len(lines_of(log)) == paused_at
        assert states(dispatch).get("unknown", 0) == 0
        resume_dispatch(dispatch_id=dispatch.pk)
        tick_until(lambda: len(lines_of(log)) >= paused_at + 200)
        cancel_dispatch(dispatch_id=dispatch.pk, reason="Wrong list")
        tick_until(ended(dispatch))
    found = assert_honest(dispatch, log, rows=ROWS)
    assert found["sent"] == len(lines_of(log))
    assert found["cancelled"] > 0


def test_two_hosts_share_a_dispatch_and_one_finishes_when_the_other_is_gone(
    log: Path, tmp_path: Path
) -> None:
    dispatch = planned_crowd(ROWS, suppressed=15)
    events = DeliveryEvent.objects.filter(dispatch_id=dispatch.pk, kind="sent")

    def hosts() -> set[str]:
        return {name.split(":")[0] for name in events.values_list("worker", flat=True).distinct()}

    with two_hosts(tmp_path) as (first, _second):
        tick_until(lambda: len(hosts()) == 2)
        os.killpg(first.pid, signal.SIGKILL)
        before = events.filter(worker__contains="send-02").count()
        tick_until(ended(dispatch))
        assert events.filter(worker__contains="send-02").count() > before
    found = assert_honest(dispatch, log, rows=ROWS, unknown=WINDOW)
    assert found["skipped"] == 15
    assert hosts() == {"bulk@send-01", "bulk@send-02"}


def test_two_beats_at_once_double_nothing(log: Path, tmp_path: Path) -> None:
    dispatch = planned_crowd(300, suppressed=6)
    second = dispatch_to()
    beats = [("manage.py", "run_tick_once")] * 2 + [("manage.py", "run_worker_once")] * 2
    with contextlib.ExitStack() as stack:
        made: list[subprocess.Popen[bytes]] = [
            stack.enter_context(running(*command, output=tmp_path / f"{n}.log"))
            for n, command in enumerate(beats)
        ]
        for process in made:
            assert process.wait(timeout=60) == 0
    with running("manage.py", "run_worker_once", output=tmp_path / "last.log") as last:
        assert last.wait(timeout=60) == 0
    assert Delivery.objects.filter(dispatch_id=second.pk).count() == 300
    for one in (dispatch, second):
        one.refresh_from_db()
        assert one.state == Dispatch.State.FINISHED
        assert states(one).keys() <= {"sent", "skipped"}
    assert max(lines_of(log).count(line) for line in lines_of(log)) == 1
    assert len(lines_of(log)) == states(dispatch)["sent"] + states(second)["sent"]


def test_a_bucket_is_one_for_all_workers_and_survives_their_restart(tmp_path: Path) -> None:
    rate = 40
    with sink(tmp_path) as (port, log):
        account = sink_account(port, rate_per_second=rate)
        dispatch = planned_crowd(160)
        with two_hosts(tmp_path):
            tick_until(lambda: len(lines_of(log)) >= 1.5 * rate)
        assert not ended(dispatch)()
        with two_hosts(tmp_path):
            tick_until(ended(dispatch))
        assert_honest(dispatch, log, rows=160, unknown=2 * rate)
    # By the database's clock: never more than a full bucket and what flowed in since.
    sent = DeliveryEvent.objects.filter(dispatch_id=dispatch.pk, kind="sent").order_by("at")
    moments = [moment.timestamp() for moment in sent.values_list("at", flat=True)]
    for first in range(0, len(moments), 7):
        within = [moment for moment in moments[first:] if moment < moments[first] + 1.0]
        assert len(within) <= 3 * rate
    assert len(moments) <= rate * (2 + moments[-1] - moments[0])
    assert AccountGate.objects.get(account=account).tokens <= rate


def test_a_dispatch_keeps_its_own_rate_over_two_workers(tmp_path: Path) -> None:
    rate = 20
    with sink(tmp_path) as (port, log):
        sink_account(port)
        dispatch = planned_crowd(1100, rate_per_second=rate)
        with two_hosts(tmp_path, NOTIFYHUB_LEASE_SECONDS="10"):
            tick_until(lambda: len(lines_of(log)) >= 3 * rate)
            pause_dispatch(dispatch_id=dispatch.pk, reason="Seen enough")
            wait_for(quiet)
        sent = DeliveryEvent.objects.filter(dispatch_id=dispatch.pk, kind="sent").order_by("at")
        moments = [moment.timestamp() for moment in sent.values_list("at", flat=True)]
    # One window a second, whoever takes it: its rows bear nearly one moment, the next one's come a second on.
    windows = [moments[place : place + rate] for place in range(0, len(moments), rate)]
    assert len(windows) >= 3
    assert all(later[0] - earlier[0] > 0.5 for earlier, later in pairwise(windows))
