"""Segments: saving rules and lists, counting them, and who is in them."""

from notifyhub.customers.services.segments.counting import Count, count_rule, count_segment, sample_rule
from notifyhub.customers.services.segments.members import (
    Added,
    add_members,
    add_members_by_rule,
    remove_members,
)
from notifyhub.customers.services.segments.saving import (
    archive_segment,
    create_segment,
    restore_segment,
    update_segment,
)

__all__ = [
    "Added",
    "Count",
    "add_members",
    "add_members_by_rule",
    "archive_segment",
    "count_rule",
    "count_segment",
    "create_segment",
    "remove_members",
    "restore_segment",
    "sample_rule",
    "update_segment",
]
