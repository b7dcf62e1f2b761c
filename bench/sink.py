"""An SMTP server that takes everything and keeps nothing, fast enough not to be what is measured.

    python -m bench.sink [FOLDER]       prints its port and serves until it is killed

With a folder it does what the smallest real server does before it answers: it takes the dots out and writes
the message to a file of its own, which it removes later. Beside SMTP it knows XSTAT (messages and bytes so
far), XKEEP (keep the next message) and XLAST (that one).
"""

import base64
import contextlib
import gc
import selectors
import socket
import sys
from pathlib import Path

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


class Session:
    """One connection; understands just what a client of good manners says."""

    def __init__(self, line: socket.socket) -> None:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.line = line
        self.rest = b""
        self.in_data = False
        self.leaving = False
        self.parts: list[bytes] = []
        line.sendall(b"220 bench\r\n")

    def serve(self) -> bool:
        """Read what is there and answer it; say whether the connection goes on."""
        try:
            data = self.line.recv(1 << 18)
            if data:
                self._hear(data)
        except ConnectionError:
            return False
        return bool(data) and not self.leaving

    def _hear(self, data: bytes) -> None:
        if self.rest:
            data, self.rest = self.rest + data, b""
        replies: list[bytes] = []
        at, length = 0, len(data)
        while at < length:
            if self.in_data:
                end = data.find(_END, at)
                if end < 0:
                    # The end may be torn in two: its first four octets stay.
                    cut = max(at, length - 4)
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
            self.line.sendall(b"".join(replies))

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
            self.leaving = True
            return b"221 bye\r\n"
        if word == b"XSTA":
            return b"250 %d %d\r\n" % (Totals.messages, Totals.octets)
        if word == b"XKEE":
            Totals.keep = True
        if word == b"XLAS":
            return b"250 " + base64.b64encode(Totals.kept) + b"\r\n"
        return b"250 ok\r\n"


def serve() -> None:
    """Listen on a free port, tell it, and serve until killed."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    print(listener.getsockname()[1], flush=True)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _events in selector.select():
            session = key.data
            if session is None:
                line, _address = listener.accept()
                selector.register(line, selectors.EVENT_READ, Session(line))
            elif not session.serve():
                selector.unregister(session.line)
                session.line.close()


if __name__ == "__main__":
    gc.freeze()
    if sys.argv[1:]:
        Totals.folder = Path(sys.argv[1])
    with contextlib.suppress(KeyboardInterrupt):
        serve()
