"""The admin pages of messaging."""

from notifyhub.messaging.admin import ledger, templates

__all__ = ["ledger", "templates"]
