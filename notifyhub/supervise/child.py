"""One process that the supervisor starts, restarts and stops."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, ClassVar

from notifyhub.supervise.folder import PROJECT

GUARD = Path(__file__).with_name("guard.py")
LONGEST_PAUSE = 30
LONG_ENOUGH = 60


def guarded(command: Sequence[str], death_signal: signal.Signals) -> list[str]:
    """The command in such words that it gets this signal when the process that starts it is no more."""
    return [sys.executable, "-I", "-S", str(GUARD), str(os.getpid()), death_signal.name, *command]


@dataclass(kw_only=True)
class Child:
    """A command with the name its lines get in the log, and what is known about its process."""

    name: str
    command: list[str]
    env: Mapping[str, str]
    #: Words that change the user first, see postgres.py.
    prefix: tuple[str, ...] = ()
    cwd: Path = PROJECT
    #: Asks the process to end in good order.
    stop_signal: signal.Signals = signal.SIGTERM
    #: What the kernel sends when the supervisor was killed. Work that is under lease may end at once; what
    #: writes files gets the time to close them.
    death_signal: signal.Signals = signal.SIGKILL
    pass_fds: tuple[int, ...] = ()
    restarts: bool = True
    #: Lines are kept instead of shown, for servers that talk a lot while they start.
    quiet: bool = False

    process: subprocess.Popen[bytes] | None = None
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=30))
    restart_at: float | None = None
    failures: int = 0
    exit_code: int | None = None
    _started: float = 0
    _unfinished: bytes = b""

    #: Inherited by every child: the open lock that says "something of this run is still alive".
    life_lock: ClassVar[int | None] = None

    def start(self) -> None:
        """Start the process in a session of its own, so that Ctrl-C reaches the supervisor alone."""
        fds = self.pass_fds if Child.life_lock is None else (*self.pass_fds, Child.life_lock)
        self.process = subprocess.Popen(
            [*self.prefix, *guarded(self.command, self.death_signal)],
            env=dict(self.env),
            cwd=self.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=fds,
        )
        os.set_blocking(self.output.fileno(), False)
        self.restart_at = self.exit_code = None
        self._started = time.monotonic()

    @property
    def running(self) -> bool:
        """Whether the process is there; one that ended counts until it was reaped."""
        return self.process is not None

    @property
    def output(self) -> IO[bytes]:
        """The end of the pipe that its lines come out of; only while it runs."""
        assert self.process is not None
        assert self.process.stdout is not None
        return self.process.stdout

    def read(self) -> tuple[list[bytes], bool]:
        """The whole lines it wrote since the last call, and whether more may come."""
        data, open_end = b"", True
        with contextlib.suppress(BlockingIOError):
            while len(data) < 2**20 and open_end:
                chunk = os.read(self.output.fileno(), 65536)
                data += chunk
                open_end = bool(chunk)
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        if not open_end and self._unfinished:
            lines.append(self._unfinished)
            self._unfinished = b""
        self.last_lines.extend(line.decode(errors="replace") for line in lines)
        return lines, open_end

    def reap(self) -> int | None:
        """The exit code once it has ended, with the rest of its session swept away; else None."""
        assert self.process is not None
        code = self.process.poll()
        if code is None:
            return None
        self.signal(signal.SIGKILL, group=True)
        return code

    def forget(self, code: int) -> None:
        """Let go of the ended process, and plan the restart when it should come back."""
        self.output.close()
        self.process = None
        self.exit_code = code
        self._unfinished = b""
        if self.restarts:
            lived = time.monotonic() - self._started
            self.failures = 1 if lived > LONG_ENOUGH else self.failures + 1
            self.restart_at = time.monotonic() + min(LONGEST_PAUSE, 2 ** (self.failures - 1))

    def signal(self, number: signal.Signals, *, group: bool = False) -> None:
        """Send a signal to the process, or to all of its session; one that is gone is no error."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if group:
                os.killpg(self.process.pid, number)
            elif self.process.returncode is None:
                os.kill(self.process.pid, number)
