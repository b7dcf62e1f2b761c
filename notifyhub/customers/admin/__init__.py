"""The customer side of the console."""

from notifyhub.customers.admin.customers import CustomerAdmin
from notifyhub.customers.admin.events import (
    EventMappingAdmin,
    EventNameAdmin,
    EventPolicyAdmin,
    ParkedEventAdmin,
)
from notifyhub.customers.admin.ledgers import HoldAdmin, OrderAdmin
from notifyhub.customers.admin.merging import MergeAdmin
from notifyhub.customers.admin.segments import SegmentAdmin
from notifyhub.customers.admin.suppressions import SuppressionAdmin
from notifyhub.customers.admin.thresholds import TraitSettingsAdmin
from notifyhub.customers.admin.topics import TopicAdmin
from notifyhub.customers.admin.watch import AlertAdmin, WatchRuleAdmin

__all__ = [
    "AlertAdmin",
    "CustomerAdmin",
    "EventMappingAdmin",
    "EventNameAdmin",
    "EventPolicyAdmin",
    "HoldAdmin",
    "MergeAdmin",
    "OrderAdmin",
    "ParkedEventAdmin",
    "SegmentAdmin",
    "SuppressionAdmin",
    "TopicAdmin",
    "TraitSettingsAdmin",
    "WatchRuleAdmin",
]
