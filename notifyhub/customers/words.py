"""Words for the names that platforms commonly give to events and profile fields.

A name that is not listed is shown as the platform wrote it.
"""

from typing import Any

from django.utils.translation import gettext_lazy as _

EVENTS: dict[str, Any] = {
    "order_placed": _("Order placed"),
    "order_paid": _("Order paid"),
    "order_delivered": _("Order delivered"),
    "order_cancelled": _("Order cancelled"),
    "order_completed": _("Order completed"),
    "order_refunded": _("Order refunded"),
    "refund_asked": _("Refund asked"),
    "refund_withdrawn": _("Refund withdrawn"),
    "payment_failed": _("Payment failed"),
    "booking_confirmed": _("Booking confirmed"),
    "booking_cancelled": _("Booking cancelled"),
    "case_opened": _("Case opened"),
    "case_closed": _("Case closed"),
}

ATTRIBUTES: dict[str, Any] = {
    "level": _("Membership level"),
    "points": _("Points"),
    "birthday": _("Birthday"),
    "membership_ends": _("Membership ends"),
    "gender": _("Gender"),
}


def event_words(name: str) -> Any:
    """Return the words for an event's name."""
    return EVENTS.get(name, name)


def attribute_words(name: str) -> Any:
    """Return the words for a profile field's name."""
    return ATTRIBUTES.get(name, name)
