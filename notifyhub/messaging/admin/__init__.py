"""The admin pages of messaging."""

from notifyhub.messaging.admin import dispatches, ledger, templates

__all__ = ["dispatches", "ledger", "templates"]
