"""The real thing: servers, web process, workers and clock, started, killed and started again."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from notifyhub.supervise.tests.running import Run, descendants, wait_for

pytestmark = pytest.mark.processes
Start = Callable[..., Run]


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # A name that breaks whoever forgets to quote; kept over the tests, so that later starts are quick.
    return tmp_path_factory.mktemp("run") / "my data é 数据"


@pytest.fixture
def start(data_folder: Path) -> Iterator[Start]:
    runs: list[Run] = []

    def start(*arguments: str) -> Run:
        runs.append(Run(data_folder, "--empty", *arguments))
        return runs[-1]

    yield start
    for run in runs:
        run.end()


def test_it_serves_the_login_page_and_manage_py_finds_the_same_servers(start: Start) -> None:
    run = start().wait_until_up()

    assert run.get("/healthz") == "ok"
    assert "password" in run.get("/admin/login/")
    assert "[X] 0001_initial" in run.manage("showmigrations", "staff")


def test_a_second_start_says_who_runs_already(start: Start) -> None:
    run = start().wait_until_up()
    second = start()

    assert second.process.wait(timeout=60) == 1
    assert f"already runs here, pid {run.process.pid}, http://127.0.0.1:{run.port}" in second.log
    assert "Traceback" not in second.log


def test_ctrl_c_stops_everything_in_good_order(start: Start) -> None:
    run = start().wait_until_up()

    assert run.interrupt() == 0
    assert "NotifyHub has stopped." in run.log
    assert "is killed" not in run.log
    assert not (run.data_folder / "postgres" / "postmaster.pid").exists()
    run.wait_until_nothing_is_left()


def test_children_end_with_a_supervisor_that_was_killed(start: Start) -> None:
    run = start().wait_until_up()

    run.process.kill()
    run.process.wait()

    run.wait_until_nothing_is_left()


def test_a_killed_child_is_started_again(start: Start) -> None:
    run = start().wait_until_up()
    children = descendants(run.process.pid)

    kill(children)

    wait_for(lambda: run.log.count(" again.") >= 7, "seven restarts")
    wait_for(lambda: '"broker": "ok"' in ready(run), "readiness")


def test_after_a_kill_of_everything_the_next_start_has_all_data(start: Start) -> None:
    run = start().wait_until_up()
    name = f"kept-{run.process.pid}"
    run.manage("shell", "-c", f"from notifyhub.staff.models import Team; Team.objects.create(name='{name}')")
    everything = {run.process.pid} | descendants(run.process.pid)

    kill(everything)
    run.process.wait()
    again = start().wait_until_up()

    names = (
        "from notifyhub.staff.models import Team; print(list(Team.objects.values_list('name', flat=True)))"
    )
    assert name in again.manage("shell", "-c", names)


def kill(pids: set[int]) -> None:
    """Kill these at once; one may be gone already, because its parent is."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def ready(run: Run) -> str:
    """What /readyz says; nothing while the web process is away."""
    try:
        return run.get("/readyz")
    except OSError:
        return ""
