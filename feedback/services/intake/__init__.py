"""Logging a case: who calls, what about, what is open already."""

from feedback.services.intake.callers import likely_orders, open_duplicates, read_caller
from feedback.services.intake.logging import log_case
from feedback.services.intake.naming import name_customer

__all__ = ["likely_orders", "log_case", "name_customer", "open_duplicates", "read_caller"]
