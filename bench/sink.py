"""An SMTP server that takes everything and keeps nothing, fast enough not to be what is measured."""

import asyncio
from typing import Any


class Session(asyncio.Protocol):
    """One connection; understands just what a client of good manners says."""

    transport: asyncio.Transport

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.buffer = b""
        self.in_data = False
        transport.write(b"220 bench\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while self._step():
            pass

    def _step(self) -> bool:
        if self.in_data:
            end = self.buffer.find(b"\r\n.\r\n")
            if end < 0:
                return False
            self.buffer = self.buffer[end + 5 :]
            self.in_data = False
            self.transport.write(b"250 taken\r\n")
            return True
        line, found, rest = self.buffer.partition(b"\r\n")
        if not found:
            return False
        self.buffer = rest
        word = line[:4].upper()
        if word == b"EHLO":
            self.transport.write(b"250-bench\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
        elif word == b"DATA":
            self.in_data = True
            self.transport.write(b"354 go on\r\n")
        elif word == b"QUIT":
            self.transport.write(b"221 bye\r\n")
            self.transport.close()
        else:
            self.transport.write(b"250 ok\r\n")
        return True


def serve(ports: Any) -> None:
    """Listen on a free port, tell it through the queue, and serve until killed."""

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Session, "127.0.0.1", 0)
        ports.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())
