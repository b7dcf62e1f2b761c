"""The bytes of one connection: what is written in one go, and the replies it asks for.

A protocol of asyncio rather than its streams: at many thousand messages a second a task switch per line
would cost more than the line.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any

from notifyhub.messaging.channels.smtp.replies import Reply, ReplyReader

# What is longer is poured out before its end is written, so that a break in the middle is known as one.
BUFFER = 65536
CLOSED = "The server closed the connection."
SILENT = "The server did not answer in time."


class Wire(asyncio.Protocol):
    """One connection. Nothing is heard unless it was asked for: whoever speaks out of turn is hung up on."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        # Why there is no connection any more; empty while there is one.
        self.error = ""
        # The replies to what was asked last; fewer than expected once there is an error.
        self.got: list[Reply] = []
        self.found: re.Match[bytes] | None = None
        self.transport: Any = None
        self._reader = ReplyReader()
        self._expected = 0
        self._whole: re.Pattern[bytes] | None = None
        self._then: Callable[[], None] | None = None
        self._patience = 0.0
        self._deadline = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._paused = False
        self._pouring = False

    @property
    def alive(self) -> bool:
        """Say whether something written now may arrive."""
        return not self.error and self.transport is not None and not self.transport.is_closing()

    @property
    def in_reply(self) -> bool:
        """Say whether the server has begun a reply and not ended it."""
        return self._reader.between

    def ask(
        self,
        data: bytes,
        expected: int,
        then: Callable[[], None],
        *,
        first: float,
        each: float,
        whole: re.Pattern[bytes] | None = None,
    ) -> None:
        """Write `data` and call `then` when as many replies are in `got`, or when no more will come.

        `first` is the patience for the first reply in seconds, `each` that for every later one; half a reply
        wins no time. Where all replies come at once and fit `whole`, they are `found` instead.
        """
        self.got = []
        self.found = None
        self._whole = whole
        self._expected, self._then, self._patience = expected, then, each
        if self.error:
            self.loop.call_soon(self._tell)
            return
        self._wait(first)
        self.transport.write(data)

    def pour(self, data: bytes, then: Callable[[], None], *, seconds: float) -> None:
        """Write something long and call `then` when it is out, or when it never will be; a reply ends it too,
        since none is due before the end."""
        self.got = []
        self.found = None
        self._expected, self._then, self._pouring = 0, then, True
        self._wait(seconds)
        self.transport.write(data)
        if not self._paused:
            self.loop.call_soon(self.resume_writing)

    def abort(self, why: str = CLOSED) -> None:
        """Drop the connection with whatever was not written yet; whoever waits is told."""
        self._end(why)

    # What the loop calls.

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.set_write_buffer_limits(high=BUFFER, low=0)

    def data_received(self, data: bytes) -> None:
        if self.error:
            return
        if self._whole is not None and not self.got and not self._reader.between:
            self.found = self._whole.fullmatch(data)
            # `error` was looked at above.
            if self.found is not None and not self.transport.is_closing():
                self._tell()
                return
            self.found = None
        replies = self._reader.feed(data)
        room = self._expected - len(self.got)
        self.got += replies[:room] if not self._pouring else replies
        if len(replies) > room:
            self._end("The server spoke out of turn.")
        elif self._reader.broken:
            self._end(self._reader.broken)
        elif replies and room == len(replies):
            self._tell()
        elif replies:
            self._deadline = self.loop.time() + self._patience

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"{CLOSED} ({exc})" if exc else CLOSED)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._pouring:
            self._tell()

    def _wait(self, seconds: float) -> None:
        self._deadline = self.loop.time() + seconds
        if self._watch is None:
            self._look_later(seconds)

    def _look_later(self, seconds: float) -> None:
        # One look a second for all the messages of a connection is cheaper than a timer for each.
        self._watch = self.loop.call_later(min(1.0, max(seconds, 0.01)), self._look)

    def _look(self) -> None:
        self._watch = None
        if self._then is None:
            return
        left = self._deadline - self.loop.time()
        if left > 0:
            self._look_later(left)
        else:
            self._end(SILENT)

    def _end(self, why: str) -> None:
        if not self.error:
            self.error = why
            if self._watch is not None:
                self._watch.cancel()
                self._watch = None
            if self.transport is not None:
                self.transport.abort()
            self._tell()

    def _tell(self) -> None:
        then, self._then = self._then, None
        self._expected, self._pouring, self._whole = 0, False, None
        if then is not None:
            then()
