"""Children under supervision: their lines, their restarts, their ends."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifyhub.supervise.child import Child
from notifyhub.supervise.children import Children
from notifyhub.supervise.locks import take_lock
from notifyhub.supervise.terminal import Terminal

pytestmark = pytest.mark.processes


class Screen:
    """Children with a terminal that can be read."""

    def __init__(self) -> None:
        self.fd, name = tempfile.mkstemp()
        os.unlink(name)
        self.children = Children(Terminal(self.fd))

    def text(self) -> str:
        """What the terminal shows."""
        return os.pread(self.fd, 100_000, 0).decode()

    def child(self, code: str, **fields: object) -> Child:
        """A child that runs this Python code."""
        command = [sys.executable, "-c", code]
        return Child(name="web", command=command, env=dict(os.environ), **fields)  # type: ignore[arg-type]

    def start_family(self, code: str, *, lock: Path) -> Child:
        """A started child whose own child runs this code, prints `up` and holds the lock like its parent."""
        fd = take_lock(lock)
        assert fd is not None
        child = self.child(
            f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}], close_fds=False)",
            pass_fds=(fd,),
            restarts=False,
        )
        self.children.start(child)
        os.close(fd)
        assert self.children.wait_until(lambda: "up" in self.text(), seconds=30)
        return child


def is_free(lock: Path) -> bool:
    """Whether all that held the lock have ended."""
    fd = take_lock(lock)
    if fd is not None:
        os.close(fd)
    return fd is not None


@pytest.fixture
def screen() -> Iterator[Screen]:
    screen = Screen()
    yield screen
    screen.children.stop(list(screen.children.known), seconds=1)
    screen.children.close()
    os.close(screen.fd)


def test_it_puts_the_name_before_each_line(screen: Screen) -> None:
    assert screen.children.run(screen.child("print('one'); print('two', end='')")) == 0
    assert [line.split(" | ") for line in screen.text().splitlines()] == [
        ["web         ", "one"],
        ["web         ", "two"],
    ]


def test_it_keeps_a_quiet_child_off_the_screen_but_remembers_what_it_said(screen: Screen) -> None:
    child = screen.child("print('why it failed'); raise SystemExit(3)", quiet=True)

    assert screen.children.run(child) == 3
    assert screen.text() == ""
    assert list(child.last_lines) == ["why it failed"]


def test_it_starts_a_dead_child_again_and_waits_longer_each_time(screen: Screen) -> None:
    child = screen.child("raise SystemExit(1)")
    screen.children.start(child)

    assert screen.children.wait_until(lambda: child.failures == 2, seconds=30)
    assert "web ended with code 1; it will be started again." in screen.text()
    assert "Starting web again." in screen.text()


def test_it_kills_a_child_that_will_not_end_and_its_whole_session(screen: Screen, tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(99)"
    child = screen.start_family(deaf, lock=tmp_path / "lock")
    assert not is_free(tmp_path / "lock")

    screen.children.stop([child], seconds=0.2)

    assert screen.children.wait_until(lambda: is_free(tmp_path / "lock"), seconds=10)


def test_the_session_of_a_killed_child_is_swept(screen: Screen, tmp_path: Path) -> None:
    child = screen.start_family(
        "import time; print('up', flush=True); time.sleep(99)", lock=tmp_path / "lock"
    )

    child.signal(signal.SIGKILL)

    assert screen.children.wait_until(lambda: is_free(tmp_path / "lock"), seconds=10)
