"""Events of customers, taken in once each, and the orders they tell of."""

from notifyhub.customers.services.events.parking import record_events
from notifyhub.customers.services.events.recording import EventProblem, EventsResult, take_events
from notifyhub.customers.services.events.shapes import EventIn

__all__ = ["EventIn", "EventProblem", "EventsResult", "record_events", "take_events"]
