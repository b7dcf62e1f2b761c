"""Asking vendors about messages in doubt, for those accounts that can be asked."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.messaging.channels.registry import backends
from notifyhub.messaging.services.doubt import Doubt, messages_in_doubt
from notifyhub.messaging.services.receipts import look_up_unknown, may_look_up

__all__ = ["Asking", "look_up_now", "who_can_be_asked"]


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Whether asking now can settle anything, and if not, why not."""

    possible: bool
    why_not: str = ""


def who_can_be_asked(doubt: Doubt) -> Asking:
    """Say whether a provider can be asked about what is in doubt now; at most one query."""
    known = [cause for cause in doubt.causes if cause.account]
    able = [cause for cause in known if (found := backends.get(cause.backend)) and found.looks_up]
    # Of what has no account, every account of its channel is asked.
    if any(cause.active for cause in able) or (len(known) < len(doubt.causes) and may_look_up()):
        return Asking(possible=True)
    if able:
        names = ", ".join(dict.fromkeys(cause.account for cause in able))
        return Asking(possible=False, why_not=_("%s is off. Switch it on to ask its provider.") % names)
    if known:
        names = ", ".join(dict.fromkeys(cause.account for cause in known))
        words = _(
            "Nobody can be asked: the provider of %s has no look-up. Wait for receipts, or settle them by "
            "hand."
        )
        return Asking(possible=False, why_not=words % names)
    words = _("No provider account can be asked. Wait for receipts, or settle them by hand.")
    return Asking(possible=False, why_not=words)


def look_up_now() -> int:
    """Ask now; return how many messages were settled. Refused when no vendor can be asked."""
    doubt = messages_in_doubt()
    if not doubt.count:
        raise Refused(_("Every message has an answer: nothing to settle."))
    asking = who_can_be_asked(doubt)
    if not asking.possible:
        raise Refused(asking.why_not)
    return look_up_unknown()
