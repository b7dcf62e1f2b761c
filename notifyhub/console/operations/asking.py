"""Asking vendors about messages in doubt, for those backends that can be asked."""

from typing import Any

from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.messaging.services import receipts


def may_look_up() -> bool:
    """Say whether there is an account whose vendor can be asked."""
    asks: Any = getattr(receipts, "may_look_up", None)
    return bool(asks and asks())


def look_up_now() -> int:
    """Ask now; return how many messages were settled. Refused when no vendor can be asked."""
    if not may_look_up():
        raise Refused(_("No provider account can be asked. Wait for receipts, or settle them by hand."))
    look_up: Any = receipts.look_up_unknown  # type: ignore[attr-defined]
    return int(look_up())
