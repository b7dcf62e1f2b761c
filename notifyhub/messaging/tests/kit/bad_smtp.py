"""An SMTP server that misbehaves on cue and writes down what it took before it says so.

`python -m notifyhub.messaging.tests.kit.bad_smtp LOG [--plain]` prints its port when it listens; `--plain`
offers no PIPELINING. The recipient's address is the cue, `<step>-<deed>.<anything>@…`: the step is mail,
rcpt, data or dot; the deed one of

    450, 550 …  answers that code             421      answers it and hangs up
    close       hangs up                      rst      cuts the connection
    hang        says nothing any more         drip     answers a byte at a time
    garbage     speaks another language       endless  answers without an end
    wrong       answers with a code of         twice    says its yes two times
                another step

`once-` in front makes only the first try meet it. At the dot a deed comes instead of taking the mail; `take-`
in front of it takes the mail first: dot-take-close.7@mail.example. A line of the log is the recipient and the
Message-ID.
"""

import argparse
import asyncio
import os
import re
import signal
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

STEPS = ("mail", "rcpt", "data", "dot")
DEEDS = ("450", "550", "421", "close", "rst", "hang", "drip", "garbage", "endless", "wrong", "twice")
YES = {"mail": "250 sender fine", "rcpt": "250 recipient fine", "data": "354 go on", "dot": "250 taken"}
WRONG = {"mail": "354 what", "rcpt": "354 what", "data": "250 what", "dot": "354 what"}
_ID = re.compile(rb"^Message-ID: *<([^>]+)>", re.IGNORECASE | re.MULTILINE)
_TO = re.compile(rb"^RCPT TO:<([^>]*)>", re.IGNORECASE)

# Says what to do at a step for a recipient ("" while none is known); and is told what was taken.
Decide = Callable[[str, str], str]
Take = Callable[[str, str], None]


class Session(asyncio.Protocol):
    """One connection: `decide` says what to do at each step, `take` hears of a mail before it is answered."""

    transport: Any

    def __init__(self, decide: Decide, take: Take, *, pipelining: bool = True) -> None:
        self.decide = decide
        self.take = take
        self.pipelining = pipelining
        self.buffer = b""
        self.sender = self.deaf = self.in_data = False
        self.recipients: list[str] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.say("220 here")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while not self.deaf and self._step():
            pass

    def say(self, line: str) -> None:
        self.transport.write(line.encode() + b"\r\n")

    def _step(self) -> bool:
        if self.in_data:
            # The line end before the dot may be that of DATA: a lone dot is an empty mail.
            text, found, rest = (b"\r\n" + self.buffer).partition(b"\r\n.\r\n")
            if found:
                self.buffer, self.in_data = rest, False
                self._dot(text)
            return bool(found)
        line, found, rest = self.buffer.partition(b"\r\n")
        if found:
            self.buffer = rest
            self._command(line)
        return bool(found)

    def _command(self, line: bytes) -> None:
        word = line[:4].upper()
        if word == b"EHLO":
            self.say(
                "250-bad\r\n250-PIPELINING\r\n250 8BITMIME" if self.pipelining else "250-bad\r\n250 8BITMIME"
            )
        elif word == b"MAIL":
            # The recipient stands behind it where the client pipelines.
            ahead = _TO.match(self.buffer)
            self.sender, self.recipients = self._do("mail", ahead[1].decode() if ahead else ""), []
        elif word == b"RCPT" and self.sender:
            found = _TO.match(line)
            address = found[1].decode() if found else ""
            if self._do("rcpt", address):
                self.recipients.append(address)
        elif word == b"DATA" and self.recipients:
            self.in_data = self._do("data", self.recipients[0])
        elif word in (b"RCPT", b"DATA"):
            self.say("503 not now")
        elif word == b"RSET":
            self.sender, self.recipients = False, []
            self.say("250 forgotten")
        elif word == b"QUIT":
            self.say("221 bye")
            self._hang_up()
        else:
            self.say("500 what")

    def _dot(self, text: bytes) -> None:
        address, found = self.recipients[0], _ID.search(text)
        self.sender, self.recipients = False, []
        deed = self.decide("dot", address)
        if deed in ("ok", "twice", "drip") or deed.startswith("take-"):
            self.take(address, found[1].decode() if found else "?")
        self._perform("dot", deed.removeprefix("take-"))

    def _do(self, step: str, address: str) -> bool:
        deed = self.decide(step, address)
        self._perform(step, deed)
        return deed in ("ok", "twice", "drip", "wrong")

    def _perform(self, step: str, deed: str) -> None:
        if deed == "ok":
            self.say(YES[step])
        elif deed == "twice":
            self.say(f"{YES[step]}\r\n{YES[step]}")
        elif deed == "wrong":
            self.say(WRONG[step])
        elif deed == "garbage":
            self.say("HTTP/1.1 400 Bad Request")
        elif deed == "endless":
            self.say("\r\n".join([f"{YES[step][:3]}-more"] * 500))
        elif deed == "drip":
            self.deaf = True
            asyncio.ensure_future(self._drip(f"{YES[step]}\r\n".encode()))  # noqa: RUF006
        elif deed.isdigit():
            self.say(f"{deed} no")
            if deed == "421":
                self._hang_up()
        elif deed == "close":
            self._hang_up()
        elif deed == "rst":
            self.deaf = True
            # Closing without a linger is a reset.
            self.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            self.transport.abort()
        elif deed == "hang":
            self.deaf = True

    async def _drip(self, line: bytes) -> None:
        for letter in line:
            self.transport.write(bytes([letter]))
            await asyncio.sleep(0.004)
        self.deaf = False
        self.data_received(b"")

    def _hang_up(self) -> None:
        self.deaf = True
        self.transport.close()


class Cues:
    """Reads the deed of a step from the recipient's address."""

    def __init__(self) -> None:
        self.met: set[str] = set()

    def __call__(self, step: str, address: str) -> str:
        cue = re.split("[.@]", address)[0]
        if cue.startswith("once-"):
            cue = cue.removeprefix("once-")
            if address in self.met:
                return "ok"
        if not cue.startswith(f"{step}-"):
            return "ok"
        self.met.add(address)
        return cue.removeprefix(f"{step}-")


async def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("log")
    parser.add_argument("--plain", action="store_true")
    options = parser.parse_args()
    log = os.open(options.log, os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def take(address: str, name: str) -> None:
        os.write(log, f"{address} {name}\n".encode())
        os.fsync(log)

    cues = Cues()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Session(cues, take, pipelining=not options.plain), "127.0.0.1", 0
    )
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await stop.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
