"""An account that takes everything, says nothing and remembers nothing."""

from collections.abc import Callable, Sequence

from notifyhub.messaging.channels.base import Backend, Message, Result, always
from notifyhub.messaging.channels.registry import backends


class NullBackend(Backend):
    """What is measured through it is everything but the provider."""

    code = "bench-null"
    label = "Nothing"
    channels = ("*",)
    real = False

    async def send_many(
        self, messages: Sequence[Message], *, may_send: Callable[[], bool] = always
    ) -> list[Result]:
        return [Result(kind="accepted", provider_ref=f"null-{message.key}") for message in messages]


def register() -> None:
    """Make the backend known to this process."""
    if backends.get(NullBackend.code) is None:
        backends.register(NullBackend.code, NullBackend)
