"""What customers answer: stored once, understood, and handed to whoever works on it."""

from notifyhub.messaging.services.replies.handling import take_replies
from notifyhub.messaging.services.replies.reading import (
    ReplyLine,
    replies_by_message,
    replies_of,
    replies_to,
)
from notifyhub.messaging.services.replies.storing import drop_old_replies, store_replies
from notifyhub.messaging.services.replies.trying import may_try, reply_in_sandbox
from notifyhub.messaging.services.replies.words import flatten

__all__ = [
    "ReplyLine",
    "drop_old_replies",
    "flatten",
    "may_try",
    "replies_by_message",
    "replies_of",
    "replies_to",
    "reply_in_sandbox",
    "store_replies",
    "take_replies",
]
