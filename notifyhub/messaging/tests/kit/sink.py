"""An SMTP server that writes down what it accepts before it says so.

`python -m notifyhub.messaging.tests.kit.sink LOG [--delay SECONDS] [--auth USER:PASSWORD] [--cert PEM]
[--mails FOLDER]` prints its port when it listens; with a certificate it offers STARTTLS. The
recipient's address may ask for trouble: reject… 550, busy… 450, gone… 421 and hang up, drop… hang up after
the dot without an answer, hang… never answer it, drip… answer it letter by letter. A line of the log is the
recipient and the Message-ID.
"""

import argparse
import asyncio
import os
import re
import signal
import ssl
import sys
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult

_ID = re.compile(rb"^Message-ID: *<([^>]+)>", re.IGNORECASE | re.MULTILINE)


class Ledger:
    """The handler: remembers each accepted message in a file that outlives any process."""

    def __init__(self, path: str, delay: float, mails: str | None) -> None:
        self.mails = Path(mails) if mails else None
        self.log = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self.delay = delay

    async def handle_RCPT(
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if address.startswith("reject"):
            return "550 5.1.1 No such mailbox"
        if address.startswith("busy"):
            return "450 4.2.1 Mailbox busy"
        if address.startswith("gone"):
            asyncio.get_running_loop().call_later(0.01, server.transport.close)
            return "421 4.3.2 Shutting down"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        if self.delay:
            await asyncio.sleep(self.delay)
        found = _ID.search(envelope.content)
        name = found.group(1).decode() if found else "?"
        if self.mails:
            (self.mails / f"{name}.eml").write_bytes(envelope.content)
        os.write(self.log, "".join(f"{one} {name}\n" for one in envelope.rcpt_tos).encode())
        if envelope.rcpt_tos[0].startswith("drop"):
            server.transport.close()
        if envelope.rcpt_tos[0].startswith("hang"):
            await asyncio.sleep(3600)
        if envelope.rcpt_tos[0].startswith("drip"):
            for letter in "250 " + 600 * "o":
                server.transport.write(letter.encode())
                await asyncio.sleep(0.2)
        return "250 OK"


def _checker(pair: str) -> Any:
    user, _, password = pair.partition(":")

    def check(server: SMTP, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        right = (data.login, data.password) == (user.encode(), password.encode())
        return AuthResult(success=right, handled=False)

    return check


async def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("log")
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--mails")
    parser.add_argument("--auth", default="")
    parser.add_argument("--cert")
    options = parser.parse_args()
    ledger = Ledger(options.log, options.delay, options.mails)
    more: dict[str, Any] = {}
    if options.auth:
        more = {"auth_required": True, "auth_require_tls": False, "authenticator": _checker(options.auth)}
    if options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert)
        more["tls_context"] = context
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(ledger, loop=loop, **more), "127.0.0.1", 0)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await stop.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
