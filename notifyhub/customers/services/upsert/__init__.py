"""Creating or changing many customers at once, set-wise; the one path of import, API and events."""

from notifyhub.customers.services.upsert.rows import CustomerRow, Kept, RowProblem
from notifyhub.customers.services.upsert.upserting import Outcome, match_customers, upsert_customers

__all__ = ["CustomerRow", "Kept", "Outcome", "RowProblem", "match_customers", "upsert_customers"]
