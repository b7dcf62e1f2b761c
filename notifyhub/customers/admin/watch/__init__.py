"""Alerts, and the rules that raise them."""

from notifyhub.customers.admin.watch.alerts import AlertAdmin
from notifyhub.customers.admin.watch.rules import WatchRuleAdmin

__all__ = ["AlertAdmin", "WatchRuleAdmin"]
