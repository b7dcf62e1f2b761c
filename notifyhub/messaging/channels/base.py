"""The contract between the engine and whatever speaks to a vendor.

A backend sees frozen values and never the database. It answers once per message, in the order it got them,
with what is certain: `transient` and `permanent` mean that the vendor did not take the message, `ambiguous`
that it may have.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal, NamedTuple

Kind = Literal["accepted", "permanent", "transient", "ambiguous"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sender:
    """Who a message says it is from; empty parts are left to the account."""

    name: str = ""
    email: str = ""
    reply_to: str = ""
    # Of an SMS, without 【】; only for backends that let the vendor add it.
    signature: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """A file that travels with a mail."""

    name: str
    content_type: str
    content: bytes


class Page(NamedTuple):
    """The HTML of a mail as the wire carries it: UTF-8 and CRLF. `dots` says that a line of it may begin with
    a dot."""

    data: bytes
    dots: bool

    @property
    def html(self) -> str:
        """Return it as the text it is."""
        return self.data.decode().replace("\r\n", "\n")


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One message as it is handed over.

    `key` is the same on every try, whatever account or sender it goes through: the Message-ID (with `host`
    behind it), the idempotency key. `template` is the key of our template and `params` the variables it
    shows, for vendors that want their own template filled in and not a text (`Backend.wants_params`). `page`
    stands for `html` where the backend takes that (`Backend.wants_page`).
    """

    reference: str
    key: str
    host: str = ""
    channel: str
    to: str
    subject: str = ""
    text: str = ""
    html: str | None = None
    page: Page | None = None
    to_name: str = ""
    language: str = ""
    sender: Sender = Sender()
    headers: tuple[tuple[str, str], ...] = ()
    attachments: tuple[Attachment, ...] = ()
    template: str = ""
    params: tuple[tuple[str, str], ...] = ()


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What a vendor tells about a message later, by receipt or when it is asked.

    `kind` is sent, delivered, failed, bounced, read, opened, clicked, complained or unsubscribed. The message
    is named by our `reference` (its key, or dispatch-id), by the vendor's `provider_ref`, or both.
    `bounced` is for codes that say that the contact point does not exist, and for nothing less: it is never
    written to again. `event_id` is the same when the vendor repeats itself.
    """

    kind: str
    event_id: str = ""
    reference: str = ""
    provider_ref: str = ""
    at: datetime | None = None
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a customer wrote to us: from which contact point, what, when.

    `reference` or `provider_ref` name the message that is answered, where the vendor knows it. `event_id` is
    the same when the vendor repeats itself.
    """

    event_id: str
    sender: str
    text: str
    at: datetime | None = None
    reference: str = ""
    provider_ref: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Inquiry:
    """A message whose fate the vendor is asked about; `at` is when it was handed over."""

    reference: str
    key: str
    to: str
    at: datetime
    provider_ref: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Inbound:
    """A request of a vendor to the receipt address of its account; header names are in lower case."""

    headers: Mapping[str, str]
    body: bytes
    now: datetime


class Unreadable(ValueError):
    """A receipt that is not of the vendor's shape."""


@dataclass(frozen=True, kw_only=True)
class SettingField:
    """One setting of an account, from which its form is made.

    `kind` is text, lines, integer, boolean, choice, email, host, domain or url; a secret one is stored
    encrypted and never shown. `group` is the part of the form it stands in (see GROUPS); an integer lies
    between `least` and `most`.
    """

    name: str
    label: Any
    kind: str = "text"
    secret: bool = False
    required: bool = False
    default: Any = ""
    choices: tuple[tuple[str, Any], ...] = ()
    help_text: Any = ""
    group: str = "connection"
    least: int = 0
    most: int = 1_000_000


# The parts of an account's form, in their order.
GROUPS = ("connection", "sender", "security", "dkim", "templates", "receipts", "advanced")


def always() -> bool:
    """Return True: nobody takes these messages away from the backend."""
    return True


class Backend:
    """One configured account of one vendor, living in one event loop.

    Subclasses name their `channels` ("*" for all), declare their `fields` and send. `real` says that
    messages leave the house, so that they obey the allow-list outside production. `adds_signature` says that
    the vendor puts the 【signature】 before an SMS, `wants_params` that it fills in templates of its own,
    `wants_page` that the HTML of a mail may come as the bytes of a `Page`, which saves turning it into text.

    `receipts` says how one knows that a receipt is the vendor's: "signed" by `verify`, "address" by the
    secret in the receipt address (for vendors that sign nothing), "" for none; `receipt_answer` is the body
    that the vendor wants to read then. `takes_replies` says that what customers answer comes in too,
    `looks_up` that it can be asked.
    """

    code: ClassVar[str] = ""
    label: ClassVar[Any] = ""
    channels: ClassVar[tuple[str, ...]] = ()
    fields: ClassVar[tuple[SettingField, ...]] = ()
    real: ClassVar[bool] = True
    adds_signature: ClassVar[bool] = False
    wants_params: ClassVar[bool] = False
    wants_page: ClassVar[bool] = False
    receipts: ClassVar[Literal["", "signed", "address"]] = ""
    receipt_answer: ClassVar[Mapping[str, Any]] = {}
    takes_replies: ClassVar[bool] = False
    looks_up: ClassVar[bool] = False

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings: dict[str, Any] = {one.name: one.default for one in self.fields} | dict(settings)

    @classmethod
    def check_settings(cls, settings: Mapping[str, Any]) -> None:
        """Raise Refused (field = the setting) if settings that are each well-formed cannot work together.

        Asked when an account is saved, with the secrets in; nothing is tried against the vendor.
        """

    async def send_many(
        self, messages: Sequence[Message], *, may_send: Callable[[], bool] = always
    ) -> list[Result]:
        """Hand the messages over and return one result each, in order; never raises for a vendor's mood.

        `may_send` turns False when the lease on these messages has run out or the worker is to stop: what was
        not handed over by then is returned as LEASE_LOST.
        """
        raise TypeError(f"{type(self).__name__} does not send")

    async def look_up(self, inquiries: Sequence[Inquiry]) -> list[Report | None]:
        """Ask what became of these messages; return one report each, in order, None where nobody knows.

        Asking changes nothing at the vendor, and not being found proves nothing.
        """
        raise TypeError(f"{type(self).__name__} cannot be asked")

    def verify(self, inbound: Inbound) -> bool:
        """Say whether a request to the receipt address is the vendor's; the body is not parsed before."""
        return False

    def parse_receipts(self, inbound: Inbound) -> list[Report | Reply]:
        """Return what the request reports and what customers replied, each with its event_id; raise
        Unreadable."""
        raise TypeError(f"{type(self).__name__} gets no receipts")

    async def close(self) -> None:
        """Let go of the connections."""


LEASE_LOST = Result(kind="transient", code="lease", detail="The lease ran out before the hand-over.")
