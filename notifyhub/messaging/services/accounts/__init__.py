"""Accounts with providers."""

from notifyhub.messaging.services.accounts.keeping import (
    PLAIN,
    backend_of,
    create_account,
    secrets_set,
    settings_of,
    update_account,
    usual_hours,
)
from notifyhub.messaging.services.accounts.values import read_value

__all__ = [
    "PLAIN",
    "backend_of",
    "create_account",
    "read_value",
    "secrets_set",
    "settings_of",
    "update_account",
    "usual_hours",
]
