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
from notifyhub.customers.models.watch import (
    Alert,
    AlertEvent,
    WatchFinding,
    WatchMute,
    WatchRule,
    WatchSighting,
)

__all__ = [
    "CONTACT_KIND",
    "Alert",
    "AlertEvent",
    "Channel",
    "Consent",
    "ConsentRecord",
    "ContactPoint",
    "Customer",
    "CustomerImport",
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
    "Suppression",
    "Topic",
    "WatchFinding",
    "WatchMute",
    "WatchRule",
    "WatchSighting",
]
