"""Starting real servers and workers around the test database, and stopping every one of them."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.db import connection

from notifyhub.messaging.engine.finish import finish_dispatches
from notifyhub.messaging.engine.planner import open_scheduled
from notifyhub.messaging.engine.reaper import reap_expired_leases
from notifyhub.messaging.ticks import plan_due_dispatches, ring_for_due_work

PATIENCE = 60.0


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a process that works on the test database."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    url = urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}"))
    # urlunsplit drops the empty host of a socket address.
    url = url.replace(f"{parts.scheme}:/", f"{parts.scheme}://", 1) if "://" not in url else url
    return {
        **os.environ,
        "DATABASE_URL": url,
        "NOTIFYHUB_ALLOW_RECIPIENTS": "*",
        "NOTIFYHUB_LEASE_SECONDS": "1",
        "DEBUG": "0",
        "PRODUCTION": "0",
        "PYTHONUNBUFFERED": "1",
        **more,
    }


@contextlib.contextmanager
def running(
    *command: str, output: Path, cwd: Path | None = None, **more: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process with its children in a group of their own; whatever is left of it ends with the block."""
    with output.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            env=environment(**more),
            cwd=cwd or settings.BASE_DIR,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=PATIENCE)


@contextlib.contextmanager
def sink(folder: Path, *options: str, delay: float = 0.0) -> Iterator[tuple[int, Path]]:
    """Run the SMTP sink; give its port and the file of what it accepted."""
    accepted, output = folder / "accepted.log", folder / "sink.log"
    accepted.touch()
    command = ("-m", "notifyhub.messaging.tests.kit.sink", str(accepted), "--delay", str(delay), *options)
    with running(*command, output=output):
        wait_for(lambda: output.read_text().split("\n")[0].isdigit())
        yield int(output.read_text().split("\n")[0]), accepted


@contextlib.contextmanager
def http_sink(folder: Path, *options: str) -> Iterator[tuple[int, Path]]:
    """Run the HTTP sink; give its port and the file of what it accepted."""
    accepted, output = folder / "accepted.log", folder / "http_sink.log"
    accepted.touch()
    with running("-m", "notifyhub.messaging.tests.kit.http_sink", str(accepted), *options, output=output):
        wait_for(lambda: output.read_text().split("\n")[0].isdigit())
        yield int(output.read_text().split("\n")[0]), accepted


def wait_for(happened: Callable[[], bool]) -> None:
    """Return when `happened()`; fail when it does not for a minute."""
    until = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < until, "waited a minute in vain"
        time.sleep(0.02)


def lines_of(path: Path) -> list[str]:
    """Return the lines of a log."""
    return path.read_text().split("\n")[:-1]


def children_of(pid: int) -> list[int]:
    """Return the processes that `pid` started and that are its children now."""
    with contextlib.suppress(FileNotFoundError):
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def tick() -> None:
    """Do in this process what beat has done every few seconds: reap, plan, ring, count, end."""
    open_scheduled()
    plan_due_dispatches()
    reap_expired_leases()
    ring_for_due_work()
    finish_dispatches()


def tick_until(happened: Callable[[], bool], *, patience: float = PATIENCE) -> None:
    """Tick until `happened()`; fail when it does not in time. Leases of the dead run out meanwhile."""
    until = time.monotonic() + patience
    while not happened():
        assert time.monotonic() < until, "ticked in vain"
        tick()
        time.sleep(0.2)


def celery(*options: str, app: str = "notifyhub", queues: str = "bulk", size: int = 1) -> tuple[str, ...]:
    """Return the command of a Celery worker."""
    pool = ("-c", str(size), "--without-gossip", "--without-mingle", "-l", "WARNING")
    return ("-m", "celery", "-A", app, "worker", "-Q", queues, *pool, *options)
