"""Questions to the ledger: lists of messages, one message, one customer's messages.

The ledger may hold ten million rows and more, so every list starts from an index (the primary key, the
customer, the kind and time of events) and looks at a bounded number of rows before it stops and offers to
go on.
"""

from notifyhub.messaging.services.ledger.lines import (
    MessageLine,
    links_for,
    origin_for,
    read_lines,
    resolve_origins,
    show_origins,
)
from notifyhub.messaging.services.ledger.listing import LedgerPage, LedgerQuery, list_messages
from notifyhub.messaging.services.ledger.messages import (
    events_of,
    find_message,
    messages_about,
    messages_of,
    neighbours_with_same_reason,
)

__all__ = [
    "LedgerPage",
    "LedgerQuery",
    "MessageLine",
    "events_of",
    "find_message",
    "links_for",
    "list_messages",
    "messages_about",
    "messages_of",
    "neighbours_with_same_reason",
    "origin_for",
    "read_lines",
    "resolve_origins",
    "show_origins",
]
