"""The base of a vendor that takes one message per request.

What is certain about a request: without a connection nothing was sent. From the moment its first byte may
have left, only an answer can tell, and a subclass reads it.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import aiohttp
from django.utils.translation import gettext_lazy as _
from yarl import URL

from notifyhub.core.errors import Refused
from notifyhub.messaging.channels.base import (
    LEASE_LOST,
    Backend,
    Message,
    Result,
    SettingField,
    always,
)
from notifyhub.messaging.channels.http.calls import Answer, CallFailed
from notifyhub.messaging.channels.http.guard import PinnedResolver, check_endpoint

# An answer longer than this is none that we know how to read.
ANSWER_LIMIT = 64 * 1024
# Shorter than what servers keep an idle connection for: one that is closed under a request leaves doubt.
KEEP_ALIVE = 4.0

HTTP_FIELDS = (
    SettingField(
        name="connections",
        label=_("Connections per worker"),
        kind="integer",
        default=16,
        least=1,
        most=600,
        group="advanced",
    ),
    SettingField(
        name="timeout",
        label=_("Patience, seconds"),
        kind="integer",
        default=15,
        least=1,
        most=600,
        group="advanced",
        help_text=_("Giving up too soon leaves messages in doubt."),
    ),
)


class HttpBackend(Backend):
    """Keeps the connections and hands the messages over, several at a time; subclasses say how one goes."""

    endpoint: ClassVar[str] = "endpoint"

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        self.url = str(self.settings[self.endpoint]).rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def check_settings(cls, settings: Mapping[str, Any]) -> None:
        check_endpoint(str(settings.get(cls.endpoint) or ""), field=cls.endpoint)

    async def send_many(
        self, messages: Sequence[Message], *, may_send: Callable[[], bool] = always
    ) -> list[Result]:
        results: list[Result | None] = [None] * len(messages)
        places = iter(range(len(messages)))
        lanes = min(max(1, int(self.settings["connections"])), len(messages))
        await asyncio.gather(*(self._lane(messages, results, places, may_send) for _ in range(lanes)))
        return [result or LEASE_LOST for result in results]

    async def send_one(self, message: Message) -> Result:
        """Hand one message over by `call`; CallFailed may pass."""
        raise TypeError(f"{type(self).__name__} does not send")

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
            # The loop closes dropped sockets in its next turn.
            await asyncio.sleep(0)

    async def call(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """Send one request and return the answer; raise CallFailed. Redirects are answers, never followed."""
        mark = SimpleNamespace(connected=False)
        try:
            check_endpoint(url)
            # Already encoded: what was signed is what is sent.
            async with self._open().request(
                method,
                URL(url, encoded=True),
                headers=headers,
                data=body,
                allow_redirects=False,
                trace_request_ctx=mark,
            ) as response:
                return Answer(
                    status=response.status,
                    headers={name.lower(): value for name, value in response.headers.items()},
                    body=await _read(response.content),
                )
        except Refused as refusal:
            raise CallFailed(str(refusal), sent=False) from refusal
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError, ssl.SSLError) as error:
            raise CallFailed(f"{type(error).__name__}: {error}", sent=mark.connected) from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_connection_create_end.append(_connected)
            trace.on_connection_reuseconn.append(_connected)
            patience = float(self.settings["timeout"])
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0, resolver=PinnedResolver(), keepalive_timeout=KEEP_ALIVE
                ),
                timeout=aiohttp.ClientTimeout(total=patience, sock_connect=min(patience, 10.0)),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept-Encoding": "identity", "User-Agent": "NotifyHub"},
                auto_decompress=False,
                trace_configs=[trace],
            )
        return self._session

    async def _lane(
        self,
        messages: Sequence[Message],
        results: list[Result | None],
        places: Iterator[int],
        may_send: Callable[[], bool],
    ) -> None:
        """Take the next message until there is none."""
        for place in places:
            if not may_send():
                return
            try:
                results[place] = await self.send_one(messages[place])
            except CallFailed as failure:
                if failure.sent:
                    results[place] = Result(kind="ambiguous", code="no_reply", detail=failure.detail)
                    continue
                # No lane will fare better; what is left was never offered and may be tried again.
                nowhere = Result(
                    kind="transient", code="connect", detail=failure.detail, account_trouble=True
                )
                results[place] = nowhere
                for rest in places:
                    results[rest] = nowhere
                return


async def _connected(session: Any, context: Any, params: Any) -> None:
    context.trace_request_ctx.connected = True


async def _read(content: aiohttp.StreamReader) -> bytes:
    """Return the body; one that is too long is cut, so it will not parse."""
    body = b""
    while len(body) <= ANSWER_LIMIT:
        chunk = await content.read(ANSWER_LIMIT + 1 - len(body))
        if not chunk:
            break
        body += chunk
    return body
