"""The contract between the engine and whatever speaks to a vendor.

A backend sees frozen values and never the database. It answers once per message, in the order it got them,
with what is certain: `transient` and `permanent` mean that the vendor did not take the message, `ambiguous`
that it may have.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

Kind = Literal["accepted", "permanent", "transient", "ambiguous"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sender:
    """Who a message says it is from; empty parts are left to the account."""

    name: str = ""
    email: str = ""
    reply_to: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """A file that travels with a mail."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One message as it is handed over.

    `key` is the same on every try, whatever account or sender it goes through: the Message-ID (with `host`
    behind it), the idempotency key.
    """

    reference: str
    key: str
    host: str = ""
    channel: str
    to: str
    subject: str = ""
    text: str = ""
    html: str | None = None
    to_name: str = ""
    language: str = ""
    sender: Sender = Sender()
    headers: tuple[tuple[str, str], ...] = ()
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What became of one message. `retry_after` is the vendor's wish in seconds; `delivered` says that the
    answer already proves arrival; `account_trouble` that a transient failure is not about this message but
    would befall any other (no connection, a limit): enough of those shut the account's circuit."""

    kind: Kind
    provider_ref: str = ""
    code: str = ""
    detail: str = ""
    retry_after: float | None = None
    delivered: bool = False
    account_trouble: bool = False


@dataclass(frozen=True, kw_only=True)
class SettingField:
    """One setting of an account, from which its form is made.

    `kind` is text, integer, boolean, choice, email or host; a secret one is stored encrypted and never shown.
    """

    name: str
    label: Any
    kind: str = "text"
    secret: bool = False
    required: bool = False
    default: Any = ""
    choices: tuple[tuple[str, Any], ...] = ()
    help_text: Any = ""


def always() -> bool:
    """Return True: nobody takes these messages away from the backend."""
    return True


class Backend:
    """One configured account of one vendor, living in one event loop.

    Subclasses name their `channels` ("*" for all), declare their `fields` and send. `real` says that
    messages leave the house, so that they obey the allow-list outside production.
    """

    code: ClassVar[str] = ""
    label: ClassVar[Any] = ""
    channels: ClassVar[tuple[str, ...]] = ()
    fields: ClassVar[tuple[SettingField, ...]] = ()
    real: ClassVar[bool] = True

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings: dict[str, Any] = {one.name: one.default for one in self.fields} | dict(settings)

    async def send_many(
        self, messages: Sequence[Message], *, may_send: Callable[[], bool] = always
    ) -> list[Result]:
        """Hand the messages over and return one result each, in order; never raises for a vendor's mood.

        `may_send` turns False when the lease on these messages has run out or the worker is to stop: what was
        not handed over by then is returned as LEASE_LOST.
        """
        raise TypeError(f"{type(self).__name__} does not send")

    async def close(self) -> None:
        """Let go of the connections."""


LEASE_LOST = Result(kind="transient", code="lease", detail="The lease ran out before the hand-over.")
