"""One SMTP connection, and what each reply proves.

An error before the end of DATA means that the server did not take the message. After the final dot only its
reply can tell: without one the message may be on its way (RFC 1047), and nobody may say it is not.
"""

import asyncio
import ssl
from base64 import b64encode
from dataclasses import dataclass

LINE_LIMIT = 8192
MAX_REPLY_LINES = 100


class SmtpError(Exception):
    """A reply that is not the one hoped for, or a broken connection (code 0).

    `after_dot` says that the whole message had been handed over when it happened, `session` that any other
    message would have met the same.
    """

    def __init__(self, code: int, text: str, *, after_dot: bool = False, session: bool = False) -> None:
        super().__init__(f"{code} {text}" if code else text)
        self.code = code
        self.text = text
        self.after_dot = after_dot
        self.session = session or code in (0, 421)


@dataclass(frozen=True, kw_only=True)
class SmtpConfig:
    """Where and how to connect. `security` is none, starttls or tls."""

    host: str
    port: int
    security: str = "starttls"
    username: str = ""
    password: str = ""
    helo: str = "localhost"
    timeout: float = 30.0
    # RFC 5321 4.5.3.2.6 asks for ten minutes of patience after the dot, since giving up doubles messages.
    dot_timeout: float = 120.0
    verify: bool = True


@dataclass(frozen=True)
class Reply:
    """One reply of the server."""

    code: int
    text: str


class SmtpConnection:
    """A session: `connect` once, `deliver` many, `close`. Not shared between tasks."""

    def __init__(self, config: SmtpConfig) -> None:
        self.config = config
        self.extensions: dict[str, str] = {}
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def alive(self) -> bool:
        """Say whether the session can take another message."""
        return self._writer is not None and not self._writer.is_closing()

    async def connect(self) -> None:
        """Open the session up to AUTH; raise SmtpError."""
        config = self.config
        try:
            async with asyncio.timeout(config.timeout):
                tls = self._tls() if config.security == "tls" else None
                self._reader, self._writer = await asyncio.open_connection(
                    config.host, config.port, ssl=tls, limit=LINE_LIMIT
                )
                self._expect(await self._read(), 220)
                await self._hello()
                if config.security == "starttls":
                    await self._start_tls()
                if config.username:
                    await self._login()
        except (OSError, TimeoutError, EOFError, ValueError) as error:
            self.abort()
            raise SmtpError(0, f"{type(error).__name__}: {error}") from error
        except SmtpError:
            self.abort()
            raise

    async def deliver(self, *, sender: str, recipient: str, data: bytes) -> Reply:
        """Hand one message over; return the reply to the dot. Raises SmtpError, which says if it may be out.

        After a refusal the session is reset and can be used again; after a broken connection it is closed.
        """
        eight_bit = " BODY=8BITMIME" if "8BITMIME" in self.extensions and not data.isascii() else ""
        try:
            async with asyncio.timeout(self.config.timeout):
                # In order, one by one. A pipelined client writes these three at once and reads three replies.
                self._expect(await self._command(f"MAIL FROM:<{sender}>{eight_bit}"), 250, session=True)
                self._expect(await self._command(f"RCPT TO:<{recipient}>"), 250, 251)
                self._expect(await self._command("DATA"), 354)
        except SmtpError as error:
            await self._reset(error)
            raise
        except (OSError, TimeoutError, EOFError, ValueError) as error:
            self.abort()
            raise SmtpError(0, f"{type(error).__name__}: {error}") from error
        return await self._send_data(data)

    async def _send_data(self, data: bytes) -> Reply:
        assert self._writer is not None
        dotted = False
        try:
            async with asyncio.timeout(self.config.dot_timeout):
                self._writer.write(stuff_dots(data))
                dotted = True
                self._writer.write(b".\r\n")
                await self._writer.drain()
                reply = await self._read()
        except (OSError, TimeoutError, EOFError, ValueError) as error:
            self.abort()
            raise SmtpError(0, f"{type(error).__name__}: {error}", after_dot=dotted) from error
        if reply.code == 421:
            self.abort()
        if not 200 <= reply.code < 300:
            raise SmtpError(reply.code, reply.text)
        return reply

    async def close(self) -> None:
        """End the session politely, without waiting long."""
        if self.alive and self._writer is not None:
            try:
                async with asyncio.timeout(2):
                    await self._command("QUIT")
                    self._writer.close()
                    # Over TLS there is a farewell to wait for.
                    await self._writer.wait_closed()
            except (OSError, TimeoutError, EOFError, ValueError, SmtpError):
                pass
        self.abort()

    def abort(self) -> None:
        """Drop the connection at once, with whatever was not written yet; the loop's next turn frees it."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None

    async def _hello(self) -> None:
        reply = await self._command(f"EHLO {self.config.helo}")
        self.extensions = {}
        if reply.code != 250:
            self._expect(await self._command(f"HELO {self.config.helo}"), 250)
            return
        for line in reply.text.split("\n")[1:]:
            word, _, rest = line.strip().partition(" ")
            self.extensions[word.upper()] = rest.upper()

    async def _start_tls(self) -> None:
        if "STARTTLS" not in self.extensions:
            raise SmtpError(0, "The server offers no STARTTLS.")
        self._expect(await self._command("STARTTLS"), 220)
        assert self._writer is not None
        await self._writer.start_tls(self._tls(), server_hostname=self.config.host)
        await self._hello()

    async def _login(self) -> None:
        offered = self.extensions.get("AUTH", "").split()
        name, password = self.config.username, self.config.password
        if "PLAIN" in offered or not offered:
            token = b64encode(f"\0{name}\0{password}".encode()).decode()
            self._expect(await self._command(f"AUTH PLAIN {token}"), 235)
        elif "LOGIN" in offered:
            self._expect(await self._command("AUTH LOGIN"), 334)
            self._expect(await self._command(b64encode(name.encode()).decode()), 334)
            self._expect(await self._command(b64encode(password.encode()).decode()), 235)
        else:
            raise SmtpError(0, "The server offers no way to log in that we know.")

    async def _reset(self, error: SmtpError) -> None:
        """Make the session ready for the next message after a refusal."""
        if error.code in (0, 421):
            self.abort()
            return
        try:
            async with asyncio.timeout(self.config.timeout):
                self._expect(await self._command("RSET"), 250)
        except (OSError, TimeoutError, EOFError, ValueError, SmtpError):
            self.abort()

    async def _command(self, line: str) -> Reply:
        if "\r" in line or "\n" in line or "\0" in line:
            raise SmtpError(501, "A command of two lines was stopped.")
        if self._writer is None:
            raise EOFError("The connection is closed.")
        self._writer.write(line.encode() + b"\r\n")
        await self._writer.drain()
        return await self._read()

    async def _read(self) -> Reply:
        """Return the next reply, all its lines joined by line feeds."""
        assert self._reader is not None
        lines: list[str] = []
        while len(lines) < MAX_REPLY_LINES:
            raw = await self._reader.readline()
            if not raw.endswith(b"\n"):
                raise EOFError("The server closed the connection.")
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if len(line) < 3 or not line[:3].isdigit():
                raise ValueError("The server does not speak SMTP.")
            lines.append(line[4:])
            if line[3:4] != "-":
                return Reply(int(line[:3]), "\n".join(lines))
        raise ValueError("The server's reply has no end.")

    def _expect(self, reply: Reply, *codes: int, session: bool = False) -> None:
        if reply.code not in codes:
            raise SmtpError(reply.code, reply.text, session=session)

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if not self.config.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def stuff_dots(data: bytes) -> bytes:
    """Return `data` with a dot before each leading dot, ending in a line end (RFC 5321 4.5.2)."""
    if data.startswith(b"."):
        data = b"." + data
    data = data.replace(b"\r\n.", b"\r\n..")
    return data if data.endswith(b"\r\n") else data + b"\r\n"
