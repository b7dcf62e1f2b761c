"""A backend that keeps its messages in memory and answers on cue, for tests and rehearsals.

The beginning of the address decides: reject… is refused for good, fail… for now, later… for now with a wish
to wait, down… since the account does not answer, silent… gives no answer after it took the message;
everything else is accepted. `once-` before the word makes only the first try end so: once-fail@….
"""

from collections.abc import Callable, Sequence
from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from notifyhub.messaging.channels.base import LEASE_LOST, Backend, Message, Result, always

ANSWERS: dict[str, Result] = {
    "reject": Result(kind="permanent", code="550", detail="No such mailbox"),
    "fail": Result(kind="transient", code="450", detail="Try again later"),
    "down": Result(kind="transient", code="connect", detail="Connection refused", account_trouble=True),
    "later": Result(kind="transient", code="429", detail="Slow down", retry_after=120),
    "silent": Result(kind="ambiguous", code="timeout", detail="No answer"),
}


class MemoryBackend(Backend):
    """Appends what it was handed to `outbox`, shared by all instances of the process."""

    code = "memory"
    label = _("Memory (for tests)")
    channels = ("*",)
    real = False
    outbox: ClassVar[list[Message]] = []
    tried: ClassVar[set[str]] = set()

    async def send_many(
        self, messages: Sequence[Message], *, may_send: Callable[[], bool] = always
    ) -> list[Result]:
        return [self._answer(message) if may_send() else LEASE_LOST for message in messages]

    def _answer(self, message: Message) -> Result:
        cue = message.to.lower()
        first = message.key not in self.tried
        self.tried.add(message.key)
        if cue.startswith("once-"):
            cue = cue.removeprefix("once-") if first else ""
        for word, result in ANSWERS.items():
            if cue.startswith(word):
                if result.kind == "ambiguous":
                    self.outbox.append(message)
                return result
        self.outbox.append(message)
        return Result(kind="accepted", provider_ref=f"memory-{message.key}")

    @classmethod
    def clear(cls) -> None:
        """Forget everything that was handed over."""
        cls.outbox.clear()
        cls.tried.clear()
