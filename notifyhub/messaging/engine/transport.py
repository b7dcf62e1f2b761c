"""One event loop in a thread of its own, and the providers' connections that live in it.

Made once per process and kept between tasks: a loop and a handshake per task would cost more than the
messages. Never made before a fork: the loop of the parent is dead in the child.
"""

import asyncio
import concurrent.futures
import logging
import os
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from notifyhub.messaging.channels.base import Backend, Message, Result
from notifyhub.messaging.channels.registry import backends
from notifyhub.messaging.engine.accounts import Account

logger = logging.getLogger(__name__)
T = TypeVar("T")


class Transport:
    """Hands messages to backends from ordinary code."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="transport", daemon=True)
        self._thread.start()
        self._backends: dict[int, tuple[Account, Backend]] = {}

    def send(
        self, account: Account, messages: Sequence[Message], *, may_send: Callable[[], bool]
    ) -> "concurrent.futures.Future[list[Result]]":
        """Start handing the messages over; the future gives one result each, whatever happens."""
        return self._start(self._send(account, list(messages), may_send))

    def close(self) -> None:
        """Close the backends and end the thread."""
        self._start(self._close()).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    def _start(self, work: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _send(
        self, account: Account, messages: list[Message], may_send: Callable[[], bool]
    ) -> list[Result]:
        try:
            backend = await self._backend(account)
        except Exception as error:
            logger.exception("Account %s cannot be opened", account.name)
            broken = Result(kind="transient", code="account", detail=str(error), account_trouble=True)
            return [broken] * len(messages)
        try:
            results = await backend.send_many(messages, may_send=may_send)
        except Exception as error:
            # Nobody can say which of them went out, so none may be sent again by itself.
            logger.exception("Backend of account %s broke down", account.name)
            results = [Result(kind="ambiguous", code="error", detail=f"{type(error).__name__}: {error}")]
            return results * len(messages)
        if len(results) != len(messages):
            odd = Result(kind="ambiguous", code="count", detail="The backend lost count of its answers.")
            return [odd] * len(messages)
        return results

    async def _backend(self, account: Account) -> Backend:
        known = self._backends.get(account.id)
        if known is not None:
            if known[0].version == account.version and known[0].settings == account.settings:
                return known[1]
            del self._backends[account.id]
            await known[1].close()
        kind = backends.get(account.backend)
        if kind is None:
            raise LookupError(f"There is no backend called {account.backend}.")
        backend = kind(account.settings)
        self._backends[account.id] = (account, backend)
        return backend

    async def _close(self) -> None:
        for _, backend in self._backends.values():
            await backend.close()
        self._backends.clear()
