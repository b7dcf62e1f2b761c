"""Bases for admin pages: service-owned forms, read-only ledgers, switches, bounded counting."""

from notifyhub.core.admin.ledger import CappedPaginator, LedgerAdmin
from notifyhub.core.admin.pages import PageMixin
from notifyhub.core.admin.service import ServiceAdmin
from notifyhub.core.admin.switching import SwitchPage

__all__ = ["CappedPaginator", "LedgerAdmin", "PageMixin", "ServiceAdmin", "SwitchPage"]
