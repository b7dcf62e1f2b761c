"""How a session comes about: greeting, EHLO, STARTTLS, AUTH, and its polite end."""

import asyncio
import contextlib
import ssl
from base64 import b64encode
from dataclasses import dataclass

from notifyhub.messaging.channels.smtp.replies import Reply
from notifyhub.messaging.channels.smtp.wire import Wire


class SmtpError(Exception):
    """No session came about; `code` is the server's, or 0 if it did not say anything."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}" if code else text)
        self.code = code
        self.text = text


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


async def open_session(config: SmtpConfig) -> tuple[Wire, dict[str, str]]:
    """Return a connection that is ready for mail, and what its server offers; raise SmtpError."""
    wire = Wire()
    try:
        async with asyncio.timeout(config.timeout):
            tls = _tls(config) if config.security == "tls" else None
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: wire, config.host, config.port, ssl=tls)
            extensions = await _introduce(wire, config)
    except SmtpError:
        wire.abort()
        raise
    except (OSError, ValueError) as error:
        wire.abort()
        raise SmtpError(0, f"{type(error).__name__}: {error}") from error
    except BaseException:
        wire.abort()
        raise
    return wire, extensions


async def end_session(wire: Wire) -> None:
    """Say good-bye, without waiting long for the answer."""
    if wire.alive:
        with contextlib.suppress(SmtpError):
            await _ask(wire, b"QUIT\r\n", seconds=2)
    wire.abort()


async def _introduce(wire: Wire, config: SmtpConfig) -> dict[str, str]:
    _expect(await _ask(wire, b"", seconds=config.timeout), 220)
    extensions = await _hello(wire, config)
    if config.security == "starttls":
        if "STARTTLS" not in extensions:
            raise SmtpError(0, "The server offers no STARTTLS.")
        _expect(await _command(wire, config, "STARTTLS"), 220)
        loop = asyncio.get_running_loop()
        # What was said in plain text behind the 220 may be anybody's (CVE-2011-0411).
        if not wire.alive or wire.in_reply:
            raise SmtpError(0, "The server spoke before the encryption began.")
        secure = await loop.start_tls(wire.transport, wire, _tls(config), server_hostname=config.host)
        wire.connection_made(secure)
        extensions = await _hello(wire, config)
    if config.username:
        await _login(wire, config, extensions.get("AUTH", "").split())
    return extensions


async def _hello(wire: Wire, config: SmtpConfig) -> dict[str, str]:
    reply = await _command(wire, config, f"EHLO {config.helo}")
    if reply.code != 250:
        _expect(await _command(wire, config, f"HELO {config.helo}"), 250)
        return {}
    extensions: dict[str, str] = {}
    for line in reply.text.split("\n")[1:]:
        word, _, rest = line.strip().partition(" ")
        extensions[word.upper()] = rest.strip().upper()
    return extensions


async def _login(wire: Wire, config: SmtpConfig, offered: list[str]) -> None:
    name, password = config.username.encode(), config.password.encode()
    if "PLAIN" in offered or not offered:
        token = b64encode(b"\0" + name + b"\0" + password).decode()
        _expect(await _command(wire, config, f"AUTH PLAIN {token}"), 235)
    elif "LOGIN" in offered:
        _expect(await _command(wire, config, "AUTH LOGIN"), 334)
        _expect(await _command(wire, config, b64encode(name).decode()), 334)
        _expect(await _command(wire, config, b64encode(password).decode()), 235)
    else:
        raise SmtpError(0, "The server offers no way to log in that we know.")


async def _command(wire: Wire, config: SmtpConfig, line: str) -> Reply:
    if not line.isascii() or not line.isprintable():
        raise ValueError("A command of two lines was stopped.")
    return await _ask(wire, line.encode() + b"\r\n", seconds=config.timeout)


async def _ask(wire: Wire, data: bytes, *, seconds: float) -> Reply:
    heard = asyncio.Event()
    wire.ask(data, 1, heard.set, first=seconds, each=seconds)
    await heard.wait()
    if not wire.got:
        raise SmtpError(0, wire.error)
    return wire.got[0]


def _expect(reply: Reply, code: int) -> None:
    if reply.code != code:
        raise SmtpError(reply.code, reply.text)


def _tls(config: SmtpConfig) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not config.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
