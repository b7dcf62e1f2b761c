"""The admin pages of messaging."""

from notifyhub.messaging.admin import (
    accounts,
    digests,
    dispatches,
    ledger,
    policies,
    replies,
    senders,
    templates,
)

__all__ = ["accounts", "digests", "dispatches", "ledger", "policies", "replies", "senders", "templates"]
