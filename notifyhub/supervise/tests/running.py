"""Starts ./run's program for a test, in a data folder and on a port of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from notifyhub.supervise.child import guarded
from notifyhub.supervise.folder import PROJECT
from notifyhub.supervise.locks import take_lock

#: What ./test sets for the tests themselves.
SERVERS = ("DATABASE_URL", "BROKER_URL", "SECRET_KEY", "FIELD_KEYS", "NOTIFYHUB_DB_POOL")
UP = "NotifyHub runs at"


def own_env(data_folder: Path, **changes: str) -> dict[str, str]:
    """An environment as in a fresh terminal, but for the data folder."""
    kept = {name: value for name, value in os.environ.items() if name not in SERVERS}
    return kept | {"NOTIFYHUB_DATA_DIR": str(data_folder)} | changes


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(question: Callable[[], object], what: str, seconds: float = 90) -> None:
    """Return when the answer is yes; fail the test when the time is over."""
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)


def descendants(pid: int) -> set[int]:
    """The numbers of all processes below this one."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


class Run:
    """One start of NotifyHub on a data folder."""

    def __init__(self, data_folder: Path, *arguments: str, port: int = 0, **env: str) -> None:
        self.data_folder = data_folder
        self.port = port or free_port()
        self.log_file = data_folder.with_name(f"log-{time.time_ns()}")
        # Guarded, so that it ends with a test run that was killed.
        command = [sys.executable, "-m", "notifyhub.supervise", "--port", str(self.port), *arguments]
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                guarded(command, signal.SIGTERM),
                cwd=PROJECT,
                env=own_env(data_folder, **env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """All it has printed so far."""
        return self.log_file.read_text(errors="replace")

    def wait_until_up(self) -> "Run":
        """Return when it says where it is; fail with its log when it ended instead."""
        wait_for(lambda: UP in self.log or self.process.poll() is not None, "the start")
        assert UP in self.log, self.log
        return self

    def get(self, path: str) -> str:
        """The text at this path of its web process."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def manage(self, *words: str) -> str:
        """What manage.py prints in a second terminal that knows the data folder and nothing else."""
        command = [sys.executable, "manage.py", *words]
        done = subprocess.run(
            command, cwd=PROJECT, env=own_env(self.data_folder), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def interrupt(self) -> int:
        """Press Ctrl-C and return the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)

    def wait_until_nothing_is_left(self) -> None:
        """Return when every process it started has ended; each of them holds this lock."""

        def free() -> bool:
            fd = take_lock(self.data_folder / "children.lock")
            if fd is not None:
                os.close(fd)
            return fd is not None

        wait_for(free, "the end of all processes", seconds=40)

    def end(self) -> None:
        """Stop it if the test has not."""
        if self.process.poll() is None:
            self.interrupt()
