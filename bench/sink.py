"""An SMTP server that takes everything and keeps nothing, fast enough not to be what is measured.

    python -m bench.sink [FOLDER]       prints its port and serves until it is killed

With a folder it does what the smallest real server does before it answers: it takes the dots out and writes
the message to a file of its own, which it removes later. Beside SMTP it knows XSTAT (messages and bytes so
far), XKEEP (keep the next message) and XLAST (that one).
"""

import asyncio
import base64
import contextlib
import gc
import sys
from pathlib import Path
from typing import Any

_END = b"\r\n.\r\n"
# Files in the folder at one time; older ones are removed, as if they had been passed on.
_FILES = 2_000


class Totals:
    """What all connections took."""

    messages = 0
    octets = 0
    keep = False
    kept = b""
    folder: Path | None = None


class Session(asyncio.Protocol):
    """One connection; understands just what a client of good manners says."""

    transport: asyncio.Transport

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.rest = b""
        self.in_data = False
        self.parts: list[bytes] = []
        transport.write(b"220 bench\r\n")

    def data_received(self, data: bytes) -> None:
        if self.rest:
            data = self.rest + data
        replies: list[bytes] = []
        at = 0
        while True:
            if self.in_data:
                end = data.find(_END, at)
                if end < 0:
                    # The end may be torn in two: its first four octets stay.
                    cut = max(at, len(data) - 4)
                    self._body(data, at, cut)
                    self.rest = data[cut:]
                    break
                self._body(data, at, end + 5)
                at = end + 5
                self.in_data = False
                Totals.messages += 1
                if self.parts:
                    self._keep()
                replies.append(b"250 taken\r\n")
            else:
                end = data.find(b"\r\n", at)
                if end < 0:
                    self.rest = data[at:]
                    break
                replies.append(self._answer(data[at:end]))
                at = end + 2
        if replies:
            self.transport.write(b"".join(replies))

    def _body(self, data: bytes, start: int, end: int) -> None:
        Totals.octets += end - start
        if Totals.keep or Totals.folder or self.parts:
            Totals.keep = False
            self.parts.append(data[start:end])

    def _keep(self) -> None:
        Totals.kept, self.parts = b"".join(self.parts), []
        if Totals.folder:
            # Never written over: some file systems wait for the disk then.
            with open(Totals.folder / str(Totals.messages), "wb") as file:
                file.write(Totals.kept[:-3].replace(b"\r\n..", b"\r\n."))
            if Totals.messages > _FILES:
                (Totals.folder / str(Totals.messages - _FILES)).unlink()

    def _answer(self, line: bytes) -> bytes:
        word = line[:4].upper()
        if word in (b"MAIL", b"RCPT"):
            return b"250 ok\r\n"
        if word == b"DATA":
            self.in_data = True
            return b"354 go on\r\n"
        if word == b"EHLO":
            return b"250-bench\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
        if word == b"QUIT":
            asyncio.get_running_loop().call_soon(self.transport.close)
            return b"221 bye\r\n"
        if word == b"XSTA":
            return b"250 %d %d\r\n" % (Totals.messages, Totals.octets)
        if word == b"XKEE":
            Totals.keep = True
        if word == b"XLAS":
            return b"250 " + base64.b64encode(Totals.kept) + b"\r\n"
        return b"250 ok\r\n"


async def serve() -> None:
    """Listen on a free port, tell it, and serve until killed."""
    server = await asyncio.get_running_loop().create_server(Session, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    gc.freeze()
    if sys.argv[1:]:
        Totals.folder = Path(sys.argv[1])
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
