"""The processes of the harness: started in a row, asked over pipes, all ended with it."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from notifyhub.supervise.child import guarded

BEGAN = time.monotonic()
ROOT = Path(__file__).resolve().parent.parent


def say(text: str) -> None:
    """Tell the person who waits what is done now."""
    print(f"{time.monotonic() - BEGAN:6.0f} s  {text}", file=sys.stderr, flush=True)


def start(*words: str, **options: Any) -> "subprocess.Popen[str]":
    """Start a Python process that does not outlive this one."""
    command = guarded([sys.executable, *words], signal.SIGTERM)
    return subprocess.Popen(command, cwd=ROOT, text=True, **options)


def end(processes: Sequence["subprocess.Popen[str]"], *, patience: float = 10) -> None:
    """End these, by force if they do not listen."""
    for one in processes:
        if one.poll() is None:
            one.terminate()
    until = time.monotonic() + patience
    for one in processes:
        try:
            one.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            one.kill()
            one.wait()


class Sink:
    """The SMTP server in a process of its own; a storing one keeps each mail as a file for a while."""

    def __init__(self, *, stores: bool = False) -> None:
        self.folder = tempfile.TemporaryDirectory() if stores else None

    def __enter__(self) -> "Sink":
        words = [self.folder.name] if self.folder else []
        self.process = start("-m", "bench.sink", *words, stdout=subprocess.PIPE)
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end([self.process])
        if self.folder:
            self.folder.cleanup()

    def ask(self, word: str) -> str:
        """Return its answer to a word of ours."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as line:
            file = line.makefile("rwb")
            file.readline()
            file.write(word.encode() + b"\r\n")
            file.flush()
            return file.readline().decode().strip().removeprefix("250 ")

    def totals(self) -> tuple[int, int]:
        """Return how many messages and bytes it took so far."""
        messages, octets = self.ask("XSTAT").split()
        return int(messages), int(octets)

    def keep_next(self) -> None:
        """Keep the next message for `kept`."""
        self.ask("XKEEP")

    def kept(self) -> bytes:
        """Return that message as it came, with its final dot."""
        return base64.b64decode(self.ask("XLAST"))


class Crew:
    """Worker processes that wait for a word to drain: what a worker child of production is between tasks."""

    def __init__(self, count: int) -> None:
        self.members = [
            start("-m", "bench.worker", stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(count)
        ]

    def __enter__(self) -> "Crew":
        for one in self.members:
            self._answer(one)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end(self.members)

    def drain(self, count: int | None = None) -> list[dict[str, Any]]:
        """Let the first `count` of them work until nothing is due; return what each says of it."""
        chosen = self.members[:count]
        for one in chosen:
            assert one.stdin
            one.stdin.write("drain\n")
            one.stdin.flush()
        return [self._answer(one) for one in chosen]

    def _answer(self, member: "subprocess.Popen[str]") -> dict[str, Any]:
        assert member.stdout
        while line := member.stdout.readline():
            if line.startswith("{"):
                return dict(json.loads(line))
            say(line.rstrip())
        raise RuntimeError(f"A worker process ended with {member.wait()}.")


def peak_memory(pid: int | None = None) -> float:
    """Return the largest resident size of a process so far, in MiB.

    getrusage() would count what the parent had when it forked.
    """
    for line in Path(f"/proc/{pid or os.getpid()}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("The largest resident size of a process cannot be read here.")
