"""All children together: their output, their ends, their restarts, in one loop and one thread.

One thread matters: the kernel's death signal follows the thread that started a child, not the process.
"""

import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterable
from types import FrameType

from notifyhub.supervise.child import Child
from notifyhub.supervise.terminal import Terminal

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopAsked(Exception):
    """Somebody pressed Ctrl-C or sent a signal to stop."""


class Children:
    """The children that were started and have not ended."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.known: list[Child] = []
        self.stopping = False
        self._asked = 0
        self.asked_by: int | None = None
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        for end in (self._wake, self._woken):
            end.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)

    def listen(self) -> None:
        """Turn signals into StopAsked, and wake the loop when a child ends."""
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_stop_signal)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def close(self) -> None:
        """Let go of what the loop itself holds open."""
        signal.set_wakeup_fd(-1)
        self._selector.close()
        self._wake.close()
        self._woken.close()

    def _on_stop_signal(self, number: int, frame: FrameType | None) -> None:
        self._asked += 1
        self.asked_by = number

    def start(self, child: Child) -> None:
        """Start a child and watch it from now on."""
        child.start()
        self._selector.register(child.output, selectors.EVENT_READ, child)
        if child not in self.known:
            self.known.append(child)

    def turn(self, seconds: float = 0.2) -> None:
        """Handle what happens within this time; raise StopAsked when the run should end."""
        if self._asked and not self.stopping:
            raise StopAsked
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self._woken:
                self._woken.recv(4096)
            else:
                self._show(key.data)
        for child in list(self.known):
            if child.running:
                self._look_after(child)
            elif child.restart_at is not None and child.restart_at <= time.monotonic() and not self.stopping:
                self.terminal.say(f"Starting {child.name} again.")
                self.start(child)

    def _show(self, child: Child) -> None:
        lines, open_end = child.read()
        for line in lines:
            if line.strip() and not child.quiet:
                self.terminal.log(child.name, line)
        if not open_end:
            self._unhear(child)

    def _unhear(self, child: Child) -> None:
        if child.output in self._selector.get_map():
            self._selector.unregister(child.output)

    def _look_after(self, child: Child) -> None:
        code = child.reap()
        if code is None:
            return
        self._show(child)
        self._unhear(child)
        child.forget(code)
        if child.restarts and not self.stopping:
            self.terminal.say(f"{child.name} ended with {describe_exit(code)}; it will be started again.")
        else:
            self.known.remove(child)

    def wait_until(self, question: Callable[[], bool], *, seconds: float, pause: float = 0.1) -> bool:
        """Keep the loop turning until the answer is yes; False when the time is over."""
        deadline = time.monotonic() + seconds
        while not question():
            if time.monotonic() > deadline:
                return False
            self.turn(pause)
        return True

    def run(self, child: Child) -> int:
        """Run a child to its end; return its exit code."""
        child.restarts = False
        self.start(child)
        while child.exit_code is None:
            self.turn()
        return child.exit_code

    def stop(self, children: Iterable[Child], *, seconds: float) -> None:
        """Ask these to end, wait, then kill what is left. A second Ctrl-C ends the waiting."""
        self.stopping = True
        children = [child for child in children if child in self.known]
        asked = self._asked
        for child in children:
            child.restart_at = None
            child.signal(child.stop_signal)
        patient = self.wait_until(
            lambda: self._asked > asked or not any(child.running for child in children), seconds=seconds
        )
        for child in children:
            if child.running:
                if patient is False:
                    self.terminal.say(f"{child.name} did not end within {seconds:.0f} s and is killed.")
                child.signal(signal.SIGKILL, group=True)
        self.wait_until(lambda: not any(child.running for child in children), seconds=5)


def describe_exit(code: int) -> str:
    """An exit code in words: `code 1`, or the name of the signal that killed it."""
    return signal.Signals(-code).name if code < 0 else f"code {code}"
