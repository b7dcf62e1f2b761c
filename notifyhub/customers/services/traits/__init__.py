"""Portraits of customers: what is computed from their orders and reactions, and kept fresh."""

from notifyhub.customers.services.traits.refreshing import (
    block_of,
    follow_news,
    read_settings,
    refresh_customers,
    refresh_due_blocks,
    refresh_range,
    renew_portraits,
)

__all__ = [
    "block_of",
    "follow_news",
    "read_settings",
    "refresh_customers",
    "refresh_due_blocks",
    "refresh_range",
    "renew_portraits",
]
