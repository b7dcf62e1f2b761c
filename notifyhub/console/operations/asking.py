"""Asking vendors about messages in doubt, for those backends that can be asked."""

from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.messaging.services.receipts import look_up_unknown, may_look_up

__all__ = ["look_up_now", "may_look_up"]


def look_up_now() -> int:
    """Ask now; return how many messages were settled. Refused when no vendor can be asked."""
    if not may_look_up():
        raise Refused(_("No provider account can be asked. Wait for receipts, or settle them by hand."))
    return look_up_unknown()
