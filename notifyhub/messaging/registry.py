"""Roads by which the origin of a dispatch has its say while the dispatch is sent, keyed by origin kind.

`item_variables`: `provider(dispatch_id, dedup_keys) -> {dedup_key: variables}`, asked once per window.

`stop_conditions`: an SQL expression over alias `d` (the messaging_delivery row) that is true when the message
must not go out any more. It is evaluated per row right before sending, so it should be an indexed look-up;
a literal percent sign is written twice. One that is made of others is a function.

`reply_takers`: `take(facts) -> (kind, id) | None`, asked about each reply of a customer that is plain text,
in the transaction that works on it; the first that returns an origin keeps it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifyhub.core.registry import Registry

ItemVariables = Callable[[int, Sequence[int]], dict[int, dict[str, Any]]]

item_variables: Registry[ItemVariables] = Registry()
stop_conditions: Registry[str | Callable[[], str]] = Registry()


@dataclass(frozen=True, kw_only=True)
class ReplyFacts:
    """What a customer wrote, and what is known about it.

    `answers` is the reference of the message it answers and `title` what that was, "" if none is known;
    `customer_id` is None for an unknown contact point and for one of several customers. `opens_case` says
    that the account's settings make work of it.
    """

    reply_id: int
    at: datetime
    channel: str
    sender: str
    contact_hash: bytes
    text: str
    customer_id: int | None
    dispatch_id: int | None
    answers: str
    title: str
    opens_case: bool


ReplyTaker = Callable[[ReplyFacts], tuple[str, str] | None]

reply_takers: Registry[ReplyTaker] = Registry()


def read(fragment: str | Callable[[], str]) -> str:
    """Return the SQL of a stop condition."""
    return fragment if isinstance(fragment, str) else fragment()
