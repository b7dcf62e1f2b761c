"""A broker of a test's own, to flush, stop, fill and kill."""

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import redis

from notifyhub.celery import app
from notifyhub.messaging.tests.kit.processes import PATIENCE, wait_for
from notifyhub.supervise.broker import _binary


class Broker:
    """A server without memory on a port that stays the same over restarts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the BROKER_URL of this server."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def client(self) -> redis.Redis:
        """Return a plain client."""
        return redis.Redis(port=self.port, socket_timeout=5)

    def start(self) -> None:
        """Start the server; return when it answers."""
        options = ("--port", str(self.port), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1")
        with (self.folder / "broker.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(_binary()), *options, "--maxmemory-policy", "noeviction"],
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_for(self._answers)

    def signal(self, number: int) -> None:
        """Send the server a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """Kill the server with all that it knew."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=PATIENCE)

    def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError):
            return bool(self.client.ping())
        return False


@contextlib.contextmanager
def broker(folder: Path) -> Iterator[Broker]:
    """Run a broker that this process rings too; everything is as before afterwards."""
    server = Broker(folder)
    server.start()
    before = app.conf.broker_url
    app.conf.broker_url = server.url
    try:
        yield server
    finally:
        app.conf.broker_url = before
        server.kill()
