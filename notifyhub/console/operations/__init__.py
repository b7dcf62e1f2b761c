"""The operations page: is it working, and if not, what is broken and what is safe to press."""

from notifyhub.console.operations.page import operations, troubles

__all__ = ["operations", "troubles"]
