"""The events' side of the console: the catalogue, names of other systems, and what was put aside."""

from notifyhub.customers.admin.events.listing import EventNameAdmin
from notifyhub.customers.admin.events.mapping import EventMappingAdmin
from notifyhub.customers.admin.events.parked import ParkedEventAdmin
from notifyhub.customers.admin.events.policy import EventPolicyAdmin

__all__ = ["EventMappingAdmin", "EventNameAdmin", "EventPolicyAdmin", "ParkedEventAdmin"]
