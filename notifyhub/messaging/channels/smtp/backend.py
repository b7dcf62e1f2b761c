"""The SMTP account: a handful of connections, each taking the next message as it is free."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from notifyhub.messaging.channels.base import (
    LEASE_LOST,
    Backend,
    Message,
    Result,
    SettingField,
    always,
)
from notifyhub.messaging.channels.smtp.client import SmtpConfig, SmtpConnection, SmtpError
from notifyhub.messaging.channels.smtp.mime import build_mail, message_id

CONNECT_FAILED = "connect"


class SmtpBackend(Backend):
    """Sends mail through one server."""

    code = "smtp"
    label = _("SMTP")
    channels = ("email",)
    fields = (
        SettingField(name="host", label=_("Server"), kind="host", required=True),
        SettingField(name="port", label=_("Port"), kind="integer", default=587),
        SettingField(
            name="security",
            label=_("Encryption"),
            kind="choice",
            default="starttls",
            choices=(("starttls", "STARTTLS"), ("tls", "TLS"), ("none", _("None"))),
        ),
        SettingField(name="username", label=_("User name")),
        SettingField(name="password", label=_("Password"), secret=True),
        SettingField(
            name="from_email",
            label=_("Sender mailbox"),
            kind="email",
            required=True,
            help_text=_("Used where no sender identity says otherwise."),
        ),
        SettingField(name="from_name", label=_("Sender name")),
        SettingField(name="connections", label=_("Connections per worker"), kind="integer", default=4),
        SettingField(name="timeout", label=_("Patience, seconds"), kind="integer", default=30),
        SettingField(
            name="dot_timeout",
            label=_("Patience for the last answer, seconds"),
            kind="integer",
            default=120,
            help_text=_("Giving up too soon leaves messages in doubt."),
        ),
        SettingField(name="verify", label=_("Check the server's certificate"), kind="boolean", default=True),
    )

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        sender = str(self.settings["from_email"])
        self.config = SmtpConfig(
            host=str(self.settings["host"]),
            port=int(self.settings["port"]),
            security=str(self.settings["security"]),
            username=str(self.settings["username"] or ""),
            password=str(self.settings["password"] or ""),
            helo=sender.rpartition("@")[2] or "localhost",
            timeout=float(self.settings["timeout"]),
            dot_timeout=float(self.settings["dot_timeout"]),
            verify=bool(self.settings["verify"]),
        )
        self._idle: list[SmtpConnection] = []

    async def send_many(
        self, messages: Sequence[Message], *, may_send: Callable[[], bool] = always
    ) -> list[Result]:
        results: list[Result | None] = [None] * len(messages)
        places = iter(range(len(messages)))
        lanes = min(max(1, int(self.settings["connections"])), len(messages))
        await asyncio.gather(*(self._lane(messages, results, places, may_send) for _ in range(lanes)))
        return [result or LEASE_LOST for result in results]

    async def close(self) -> None:
        for connection in self._idle:
            await connection.close()
        self._idle.clear()
        # The loop closes dropped sockets in its next turn.
        await asyncio.sleep(0)

    async def _lane(
        self,
        messages: Sequence[Message],
        results: list[Result | None],
        places: Any,
        may_send: Callable[[], bool],
    ) -> None:
        """Take the next message until there is none; the connection goes back to the idle ones."""
        connection: SmtpConnection | None = self._idle.pop() if self._idle else None
        reused = connection is not None
        for place in places:
            if not may_send():
                break
            result = None
            if connection is not None and connection.alive:
                result = await self._deliver(connection, messages[place])
                if reused and result.code in (CONNECT_FAILED, "421"):
                    # The server hung up while the connection lay idle: that says nothing about it now.
                    result = None
            if result is None:
                connection = SmtpConnection(self.config)
                try:
                    await connection.connect()
                except SmtpError as error:
                    # No lane will fare better; what is left was never offered and may be tried again.
                    failure = _no_session(error)
                    results[place] = failure
                    for rest in places:
                        results[rest] = failure
                    return
                result = await self._deliver(connection, messages[place])
            reused = False
            results[place] = result
        if connection is not None and connection.alive:
            self._idle.append(connection)

    async def _deliver(self, connection: SmtpConnection, message: Message) -> Result:
        sender = message.sender.email or str(self.settings["from_email"])
        name = message.sender.name or str(self.settings["from_name"] or "")
        try:
            data = build_mail(message, sender_name=name, sender=sender)
            reply = await connection.deliver(sender=sender, recipient=message.to, data=data)
        except SmtpError as error:
            return _read_failure(error)
        reference = message_id(message, sender).strip("<>")
        return Result(kind="accepted", provider_ref=reference, code=str(reply.code), detail=reply.text)


def _no_session(error: SmtpError) -> Result:
    """Return the result of messages that were never offered, since no session came about."""
    code = str(error.code or CONNECT_FAILED)
    return Result(kind="transient", code=code, detail=error.text, account_trouble=True)


def _read_failure(error: SmtpError) -> Result:
    """Return what an error of the session proves about the message."""
    if error.code == 0:
        if error.after_dot:
            return Result(kind="ambiguous", code="no_reply", detail=error.text)
        return _no_session(error)
    if error.code >= 500:
        return Result(kind="permanent", code=str(error.code), detail=error.text)
    return Result(kind="transient", code=str(error.code), detail=error.text, account_trouble=error.session)
