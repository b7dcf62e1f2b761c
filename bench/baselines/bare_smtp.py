"""Nothing but SMTP: ready-made bytes, pipelined, the final dot and the next envelope in one write.

No database, no rendering, no building, no error handling: the ceiling that any sender has over this server.

    python -m bench.baselines.bare_smtp FILE CONNECTIONS      reads lines of a port and how many to send there
"""

import asyncio
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

_ENVELOPE = b"MAIL FROM:<news@shop.example>\r\nRCPT TO:<customer1@mail.example>\r\nDATA\r\n"


class Client(asyncio.Protocol):
    """One connection; `left` is shared by all of a process."""

    def __init__(self, message: bytes, left: list[int], done: "asyncio.Future[None]") -> None:
        self.last = message + b"QUIT\r\n"
        self.next = message + _ENVELOPE
        self.left = left
        self.done = done
        self.greeted = False

    def connection_made(self, transport: Any) -> None:
        self.transport: asyncio.Transport = transport

    def data_received(self, data: bytes) -> None:
        if not self.greeted:
            self.greeted = True
            self.left[0] -= 1
            self.transport.write(b"EHLO bench\r\n" + _ENVELOPE)
        if b"354 " in data:
            if self.left[0] > 0:
                self.left[0] -= 1
                self.transport.write(self.next)
            else:
                self.transport.write(self.last)

    def connection_lost(self, error: Exception | None) -> None:
        self.done.set_result(None)


async def send(port: int, message: bytes, count: int, connections: int) -> None:
    """Send the message `count` times over these connections."""
    loop = asyncio.get_running_loop()
    left, ends = [count], []
    for _ in range(min(connections, count)):
        done = loop.create_future()
        ends.append(done)
        await loop.create_connection(lambda done=done: Client(message, left, done), "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*ends)


def flood(port: int, message: bytes, count: int) -> float:
    """Write without waiting for any answer; return the messages a second that the server can take."""
    with socket.create_connection(("127.0.0.1", port)) as line:
        whole = (_ENVELOPE + message) * 50
        rounds = max(1, count // 50)

        def write() -> None:
            for _ in range(rounds):
                line.sendall(whole)
            line.sendall(b"QUIT\r\n")

        began = time.perf_counter()
        writer = threading.Thread(target=write)
        writer.start()
        while line.recv(1 << 16):
            pass
        writer.join()
        return rounds * 50 / (time.perf_counter() - began)


def main(path: Path, connections: int) -> None:
    """Send for each line on standard input, and say when it is done."""
    message = path.read_bytes()
    print("ready", flush=True)
    for line in sys.stdin:
        port, count = map(int, line.split())
        asyncio.run(send(port, message, count, connections))
        print("done", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
