"""Messaging models."""

from notifyhub.messaging.models.digest import DigestItem, DigestWish, DigestWishRecord
from notifyhub.messaging.models.dispatch import Attachment, Batch, Dispatch, DispatchItem
from notifyhub.messaging.models.inbound import InboundReceipt
from notifyhub.messaging.models.ledger import Delivery, DeliveryEvent, MessageCopy
from notifyhub.messaging.models.limits import Halt, Punctuality, SendCount, SendDay
from notifyhub.messaging.models.lookup import LookUp
from notifyhub.messaging.models.provider import (
    AccountGate,
    ChannelPolicy,
    ProviderAccount,
    SenderIdentity,
    SendingPolicy,
)
from notifyhub.messaging.models.reply import InboundMessage
from notifyhub.messaging.models.tally import Bookmark, SendTally
from notifyhub.messaging.models.template import Content, Link, Template, TemplateVersion

__all__ = [
    "AccountGate",
    "Attachment",
    "Batch",
    "Bookmark",
    "ChannelPolicy",
    "Content",
    "Delivery",
    "DeliveryEvent",
    "DigestItem",
    "DigestWish",
    "DigestWishRecord",
    "Dispatch",
    "DispatchItem",
    "Halt",
    "InboundMessage",
    "InboundReceipt",
    "Link",
    "LookUp",
    "MessageCopy",
    "ProviderAccount",
    "Punctuality",
    "SendCount",
    "SendDay",
    "SendTally",
    "SenderIdentity",
    "SendingPolicy",
    "Template",
    "TemplateVersion",
]
