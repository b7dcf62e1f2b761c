"""Segments: saved rules and static lists."""

from notifyhub.customers.admin.segments.listing import SegmentAdmin

__all__ = ["SegmentAdmin"]
