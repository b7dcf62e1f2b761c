"""Customer models."""

from notifyhub.customers.models.activity import Event, EventBookmark, EventKey, Order
from notifyhub.customers.models.consent import (
    CONTACT_KIND,
    Channel,
    Consent,
    ConsentRecord,
    Decision,
    Hold,
    MessageClass,
    Suppression,
    Topic,
)
from notifyhub.customers.models.customer import ContactPoint, Customer, Merge
from notifyhub.customers.models.importing import CustomerImport, ImportProblem
from notifyhub.customers.models.segment import Segment, SegmentMember
from notifyhub.customers.models.traits import CustomerTrait, Stage, TraitBlock, TraitSettings

__all__ = [
    "CONTACT_KIND",
    "Channel",
    "Consent",
    "ConsentRecord",
    "ContactPoint",
    "Customer",
    "CustomerImport",
    "CustomerTrait",
    "Decision",
    "Event",
    "EventBookmark",
    "EventKey",
    "Hold",
    "ImportProblem",
    "Merge",
    "MessageClass",
    "Order",
    "Segment",
    "SegmentMember",
    "Stage",
    "Suppression",
    "Topic",
    "TraitBlock",
    "TraitSettings",
]
