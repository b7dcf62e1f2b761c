"""Customer models."""

from notifyhub.customers.models.activity import Event, EventKey, Order
from notifyhub.customers.models.consent import Consent, ConsentRecord, Hold, Suppression, Topic
from notifyhub.customers.models.customer import ContactPoint, Customer, Merge
from notifyhub.customers.models.importing import CustomerImport, ImportProblem
from notifyhub.customers.models.segment import Segment, SegmentMember

__all__ = [
    "Consent",
    "ConsentRecord",
    "ContactPoint",
    "Customer",
    "CustomerImport",
    "Event",
    "EventKey",
    "Hold",
    "ImportProblem",
    "Merge",
    "Order",
    "Segment",
    "SegmentMember",
    "Suppression",
    "Topic",
]
