"""Backends that misbehave on cue, each account in its own way."""

from collections.abc import Callable, Sequence

from notifyhub.messaging.channels.base import LEASE_LOST, Message, Result, SettingField, always
from notifyhub.messaging.channels.memory import ANSWERS, MemoryBackend
from notifyhub.messaging.channels.registry import backends
from notifyhub.messaging.models import ProviderAccount
from notifyhub.messaging.services.accounts import create_account


class MoodyBackend(MemoryBackend):
    """Answers everything by one word of the memory backend's ANSWERS, while its account's setting says so."""

    code = "moody"
    fields = (
        SettingField(name="mood", label="Mood"),
        SettingField(name="wait", label="Wait", kind="integer", default=0),
    )
    asked: list[tuple[str, str]] = []

    async def send_many(
        self, messages: Sequence[Message], *, may_send: Callable[[], bool] = always
    ) -> list[Result]:
        return [self._one(message) if may_send() else LEASE_LOST for message in messages]

    def _one(self, message: Message) -> Result:
        mood = str(self.settings["mood"] or "")
        self.asked.append((mood, message.to))
        if mood == "busy":
            wait = float(self.settings["wait"])
            return Result(
                kind="transient", code="429", detail="Slow down", retry_after=wait, account_trouble=True
            )
        return ANSWERS[mood] if mood else self._answer(message)


def forget_moods() -> None:
    """Take the backend away again, so that other tests know only those of the product."""
    MoodyBackend.asked.clear()
    MemoryBackend.clear()
    backends._entries.pop(MoodyBackend.code, None)


def moody_account(name: str, mood: str, *, priority: int, wait: int = 0) -> ProviderAccount:
    """Return an account for mail of which every message is answered by `mood` ("" takes them)."""
    if MoodyBackend.code not in {one.code for one in backends}:
        backends.register(MoodyBackend.code, MoodyBackend)
    return create_account(
        channel="email",
        backend=MoodyBackend.code,
        name=name,
        values={"mood": mood, "wait": wait},
        priority=priority,
    )
