"""Making one customer of two, and two of one again."""

from notifyhub.customers.services.merging.merge import merge_customers
from notifyhub.customers.services.merging.person import person_ids
from notifyhub.customers.services.merging.undo import undo_merge

__all__ = ["merge_customers", "person_ids", "undo_merge"]
