"""The operations page: is it working, and if not, what is broken and what is safe to press."""

from notifyhub.console.operations.page import alerts_for, operations, troubles

__all__ = ["alerts_for", "operations", "troubles"]
