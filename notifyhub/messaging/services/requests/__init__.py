"""What a program asks to be sent."""

from notifyhub.messaging.services.requests.accepting import (
    ORIGIN,
    Accepted,
    Recipient,
    RecipientProblem,
    RecipientsRefused,
    accept_messages,
)
from notifyhub.messaging.services.requests.attachments import AttachmentIn, read_attachment
from notifyhub.messaging.services.requests.outcomes import MessageLine, find_request, outcomes_of

__all__ = [
    "ORIGIN",
    "Accepted",
    "AttachmentIn",
    "MessageLine",
    "Recipient",
    "RecipientProblem",
    "RecipientsRefused",
    "accept_messages",
    "find_request",
    "outcomes_of",
    "read_attachment",
]
