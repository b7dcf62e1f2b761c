"""A durable PostgreSQL of a test's own, to pull the plug of."""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from notifyhub.messaging.backup.tools import environment
from notifyhub.messaging.tests.kit.processes import children_of, wait_for
from notifyhub.supervise.children import Children
from notifyhub.supervise.database import SETTINGS, Postgres
from notifyhub.supervise.terminal import Terminal

NAME = "notifyhub"
# As ./run keeps it, but nothing goes to the disk unless somebody waits for it: what commits without waiting
# is as lost by a kill as by a power cut. ("fsync" here spares initdb its own.)
LATE = SETTINGS | {
    "fsync": "on",
    "wal_writer_delay": "10s",
    "wal_writer_flush_after": "1GB",
    "wal_buffers": "64MB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
}


class Power:
    """A database server with a plug."""

    def __init__(self, folder: Path, children: Children) -> None:
        self.children = children
        self.server = Postgres(home=folder / "postgres", env=os.environ, settings=LATE)

    @property
    def url(self) -> str:
        """Return the DATABASE_URL."""
        return self.server.url(NAME)

    def on(self) -> None:
        """Start the server, which recovers; return when it answers."""
        self.server.start(self.children, database=NAME)

    def cut(self) -> None:
        """Kill every process of the server before any of them can notice."""
        assert self.server.child is not None
        assert self.server.child.process is not None
        master = self.server.child.process.pid
        os.kill(master, signal.SIGSTOP)
        others = children_of(master)
        assert len(others) >= 3
        for pid in (*others, master):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.children.stop([self.server.child], seconds=10)
        self.children.stopping = False
        connection.close()


@contextlib.contextmanager
def power(folder: Path) -> Iterator[Power]:
    """Run a copy of the test database on a server of its own; within the block it is the test's database."""
    copy = subprocess.run(
        [Postgres(home=folder / "postgres", env={}).bin / "pg_dump", "--format=plain"],
        env={**environment(), "PGDATABASE": connection.settings_dict["NAME"]},
        capture_output=True,
        check=True,
    ).stdout
    with tempfile.TemporaryFile() as screen:
        children = Children(Terminal(screen.fileno()))
        made = Power(folder, children)
        try:
            made.on()
            psql = [str(made.server.bin / "psql"), "-q", "-v", "ON_ERROR_STOP=1", "-d", made.url]
            subprocess.run(psql, input=copy, check=True, stdout=subprocess.DEVNULL)
            with _in_its_place(made):
                yield made
        finally:
            for child in children.known:
                child.quiet = True
            children.stop(list(children.known), seconds=10)
            children.close()
            made.server.cleanup()


@contextlib.contextmanager
def _in_its_place(made: Power) -> Iterator[None]:
    before = {name: connection.settings_dict[name] for name in ("HOST", "PORT", "USER", "PASSWORD", "NAME")}
    connection.close()
    connection.settings_dict |= {
        "HOST": str(made.server.socket_folder),
        "PORT": "",
        "USER": "postgres",
        "PASSWORD": "",
        "NAME": NAME,
    }
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DATABASE_URL", made.url)
            yield
    finally:
        connection.close()
        connection.settings_dict |= before


@contextlib.contextmanager
def held_before_the_next_window(url: str) -> Iterator[None]:
    """Begin the block when all windows are settled and whoever works waits to read the next one."""
    with psycopg.connect(url) as gate:
        # Read by a window, and touched by nothing that opens or settles one.
        gate.execute("LOCK TABLE customers_contactpoint IN ACCESS EXCLUSIVE MODE")
        wait_for(lambda: gate.execute(_HELD).fetchone() == (True,))
        yield
        gate.close()


_HELD = """
SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'customers_contactpoint'::regclass AND NOT granted)
    AND NOT EXISTS (SELECT FROM messaging_batch WHERE open_to > cursor AND lease_until > clock_timestamp())
"""
