"""The sandbox: accepts everything at once and sends nothing; the console shows what would have arrived."""

from collections.abc import Callable, Sequence

from django.utils.translation import gettext_lazy as _

from notifyhub.messaging.channels.base import LEASE_LOST, Backend, Message, Result, always


class SandboxBackend(Backend):
    """Reports each message as delivered; what it said is kept beside the ledger like any other message."""

    code = "sandbox"
    label = _("Sandbox (nothing leaves the house)")
    channels = ("*",)
    real = False
    takes_replies = True

    async def send_many(
        self, messages: Sequence[Message], *, may_send: Callable[[], bool] = always
    ) -> list[Result]:
        return [
            Result(kind="accepted", provider_ref=f"sandbox-{message.reference}", delivered=True)
            if may_send()
            else LEASE_LOST
            for message in messages
        ]
