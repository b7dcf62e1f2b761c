"""The admin pages of messaging."""

from notifyhub.messaging.admin import (
    accounts,
    dispatches,
    ledger,
    policies,
    replies,
    senders,
    templates,
)

__all__ = ["accounts", "dispatches", "ledger", "policies", "replies", "senders", "templates"]
