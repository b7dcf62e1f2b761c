"""The SMTP account: a handful of connections, each taking the next message as it is free."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from notifyhub.core.errors import Refused
from notifyhub.messaging.channels.base import Backend, Message, Result, SettingField, always
from notifyhub.messaging.channels.smtp.client import Mail, SmtpConnection
from notifyhub.messaging.channels.smtp.dkim import signer_of
from notifyhub.messaging.channels.smtp.headers import MailError, check_address
from notifyhub.messaging.channels.smtp.lanes import Job, run_lanes
from notifyhub.messaging.channels.smtp.mime import message_id, stuff_dots, write_parts
from notifyhub.messaging.channels.smtp.session import SmtpConfig


class SmtpBackend(Backend):
    """Sends mail through one server."""

    code = "smtp"
    label = _("SMTP")
    channels = ("email",)
    wants_page = True
    fields = (
        SettingField(
            name="host",
            label=_("Server"),
            kind="host",
            required=True,
            help_text=_("Its name or address alone, like smtp.example.com."),
        ),
        SettingField(
            name="port",
            label=_("Port"),
            kind="integer",
            default=587,
            least=1,
            most=65535,
            help_text=_("587 for STARTTLS, 465 for TLS, 25 between servers."),
        ),
        SettingField(name="username", label=_("User name"), help_text=_("Empty: no sign-in.")),
        SettingField(name="password", label=_("Password"), secret=True),
        SettingField(
            name="security",
            label=_("Encryption"),
            kind="choice",
            default="starttls",
            choices=(("starttls", "STARTTLS"), ("tls", "TLS"), ("none", _("None"))),
            group="security",
        ),
        SettingField(
            name="verify",
            label=_("Check the server's certificate"),
            kind="boolean",
            default=True,
            group="security",
            help_text=_("Without it, whoever stands between can read the mails and the password."),
        ),
        SettingField(
            name="from_email",
            label=_("Sender mailbox"),
            kind="email",
            required=True,
            help_text=_("Used where no sender identity says otherwise."),
            group="sender",
        ),
        SettingField(name="from_name", label=_("Sender name"), group="sender"),
        SettingField(
            name="dkim_domain",
            label=_("DKIM domain"),
            kind="domain",
            help_text=_("The domain that signs, usually that of the sender mailbox. Empty: no signature."),
            group="dkim",
        ),
        SettingField(
            name="dkim_selector",
            label=_("DKIM selector"),
            kind="domain",
            help_text=_("The public key stands in the DNS under selector._domainkey.domain."),
            group="dkim",
        ),
        SettingField(
            name="dkim_key", label=_("DKIM private key (PEM)"), kind="lines", secret=True, group="dkim"
        ),
        SettingField(
            name="connections",
            label=_("Connections per worker"),
            kind="integer",
            default=4,
            least=1,
            most=100,
            group="advanced",
        ),
        SettingField(
            name="timeout",
            label=_("Patience, seconds"),
            kind="integer",
            default=30,
            least=1,
            most=600,
            group="advanced",
        ),
        SettingField(
            name="dot_timeout",
            label=_("Patience for the last answer, seconds"),
            kind="integer",
            default=120,
            least=1,
            most=3600,
            help_text=_("Giving up too soon leaves messages in doubt."),
            group="advanced",
        ),
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
        self._sender = sender
        self._sender_name = str(self.settings["from_name"] or "")
        self._signer = signer_of(self.settings)
        self._idle: list[SmtpConnection] = []

    @classmethod
    def check_settings(cls, settings: Mapping[str, Any]) -> None:
        try:
            check_address(str(settings["from_email"]))
        except MailError as error:
            raise Refused(
                _("This must be a mailbox of plain letters, like news@example.com."), field="from_email"
            ) from error
        if signer_of(settings) is None and settings.get("dkim_key"):
            raise Refused(
                _("To sign mails, give the domain and the selector as they stand in the DNS record."),
                field="dkim_domain",
            )

    async def send_many(
        self, messages: Sequence[Message], *, may_send: Callable[[], bool] = always
    ) -> list[Result]:
        job = Job(messages, write=self._write, may_send=may_send)
        await run_lanes(job, self.config, self._idle, max(1, int(self.settings["connections"])))
        return job.results()

    async def close(self) -> None:
        idle, self._idle = self._idle, []
        await asyncio.gather(*(connection.close() for connection in idle))
        # The loop closes dropped sockets in its next turn.
        await asyncio.sleep(0)

    def _write(self, place: int, message: Message, connection: SmtpConnection) -> Mail:
        """Return the message as this server takes it; raise MailError if it cannot be sent at all."""
        own = message.sender
        sender = own.email or self._sender
        name = message_id(message, sender)
        top, page, end = write_parts(
            message,
            name,
            sender_name=own.name or self._sender_name,
            sender=sender,
            eight_bit=connection.eight_bit,
            signer=self._signer,
        )
        length = len(top) + len(page) + len(end)
        if 0 < connection.size_limit < length:
            raise MailError("552", f"The mail has {length} bytes; the server takes {connection.size_limit}.")
        size = f" SIZE={length}" if connection.says_size else ""
        odd = connection.eight_bit and not (page.isascii() and top.isascii() and end.isascii())
        return Mail(
            place,
            name[1:-1],
            f"MAIL FROM:<{sender}>{size}{' BODY=8BITMIME' if odd else ''}\r\n"
            f"RCPT TO:<{message.to}>\r\nDATA\r\n".encode(),
            b"%b%b%b" % (stuff_dots(top), page, end) if end else stuff_dots(top),
        )
