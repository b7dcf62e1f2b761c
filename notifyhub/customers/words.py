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
    "page_viewed": _("Page viewed"),
    "screen_viewed": _("Screen viewed"),
    "product_viewed": _("Product viewed"),
    "product_added": _("Product added to the cart"),
    "product_removed": _("Product removed from the cart"),
    "cart_viewed": _("Cart viewed"),
    "cart_changed": _("Cart changed"),
    "cart_updated": _("Cart updated"),
    "cart_abandoned": _("Cart left behind"),
    "checkout_started": _("Checkout started"),
    "identified": _("Told who they are"),
    "alias_bound": _("Bound another id"),
    "group_joined": _("Joined a group"),
    "order_confirmed": _("Order confirmed"),
    "order_updated": _("Order updated"),
    "order_disputed": _("Order disputed"),
    "booking_placed": _("Booking placed"),
    "booking_paid": _("Booking paid"),
    "bill_issued": _("Bill issued"),
    "bill_paid": _("Bill paid"),
    "refund_requested": _("Refund requested"),
    "refund_completed": _("Refund completed"),
    "arrangement_agreed": _("Payment arrangement agreed"),
    "membership_renewed": _("Membership renewed"),
    "coupon_issued": _("Coupon issued"),
    "coupon_redeemed": _("Coupon redeemed"),
    "review_written": _("Review written"),
    "travel_exception": _("Trouble on the trip"),
    "stay_started": _("Stay started"),
    "stay_completed": _("Stay completed"),
    "trip_started": _("Trip started"),
    "trip_completed": _("Trip completed"),
    "case_opened": _("Case opened"),
    "case_closed": _("Case closed"),
    "case_reopened": _("Case reopened"),
    "message_delivered": _("Message delivered"),
    "message_read": _("Message read"),
    "message_opened": _("Message opened (estimate)"),
    "message_clicked": _("Link in a message clicked"),
    "message_unsubscribed": _("Unsubscribed by a message"),
    "message_complained": _("Complained about a message"),
    "message_bounced": _("Message bounced"),
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
