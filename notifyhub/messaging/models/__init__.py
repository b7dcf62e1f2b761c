"""Messaging models."""

from notifyhub.messaging.models.dispatch import Batch, Dispatch, DispatchItem
from notifyhub.messaging.models.ledger import Delivery, DeliveryEvent, MessageCopy
from notifyhub.messaging.models.provider import AccountGate, ProviderAccount, SenderIdentity, SendingPolicy
from notifyhub.messaging.models.template import Content, Template, TemplateVersion

__all__ = [
    "AccountGate",
    "Batch",
    "Content",
    "Delivery",
    "DeliveryEvent",
    "Dispatch",
    "DispatchItem",
    "MessageCopy",
    "ProviderAccount",
    "SenderIdentity",
    "SendingPolicy",
    "Template",
    "TemplateVersion",
]
