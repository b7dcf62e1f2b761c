"""Customer models."""

from notifyhub.customers.models.activity import Event, EventBookmark, EventKey, Order
from notifyhub.customers.models.catalogue import (
    EventDay,
    EventMapping,
    EventName,
    EventProperty,
    Sensitivity,
)
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
from notifyhub.customers.models.parking import Alias, EventPolicy, ParkedEvent
from notifyhub.customers.models.segment import Segment, SegmentMember
from notifyhub.customers.models.traits import CustomerTrait, Stage, TraitBlock, TraitSettings
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
    "Alias",
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
    "EventDay",
    "EventKey",
    "EventMapping",
    "EventName",
    "EventPolicy",
    "EventProperty",
    "Hold",
    "ImportProblem",
    "Merge",
    "MessageClass",
    "Order",
    "ParkedEvent",
    "Segment",
    "SegmentMember",
    "Sensitivity",
    "Stage",
    "Suppression",
    "Topic",
    "TraitBlock",
    "TraitSettings",
    "WatchFinding",
    "WatchMute",
    "WatchRule",
    "WatchSighting",
]
