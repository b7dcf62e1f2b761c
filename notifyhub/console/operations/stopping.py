"""What the dialog says that orders a stop: what stands still, what goes on, who may let it go on."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from notifyhub.core.registry import role_grants
from notifyhub.customers.models.consent import Channel, MessageClass
from notifyhub.messaging.models import ProviderAccount
from notifyhub.staff.roles import ROLES

PLACE, LIFT = "messaging.add_halt", "messaging.change_halt"


@dataclass(frozen=True, kw_only=True)
class StopWords:
    """The dialog of one stop. `typed` asks for a word: more than one account or worker stands still."""

    title: Any
    text: Any
    name: Any = ""
    typed: bool = True


CLASSES = {
    MessageClass.PROMOTIONAL: StopWords(
        title=_("Stop all promotions"),
        text=_(
            "No promotion leaves any more, of any campaign, until somebody lets them go on. Windows under "
            "way end within seconds. Codes, orders and replies go on."
        ),
    ),
    MessageClass.INFORMATIONAL: StopWords(
        title=_("Stop informational messages"),
        text=_("No informational message leaves any more, until somebody lets them go on. The rest goes on."),
    ),
    MessageClass.SERVICE: StopWords(
        title=_("Stop service messages"),
        text=_(
            "No reminder and no other service message leaves any more, until somebody lets them go on. "
            "Codes, orders and promotions go on."
        ),
    ),
    MessageClass.TRANSACTIONAL: StopWords(
        title=_("Stop transactional messages"),
        text=_(
            "No login code, no order message and no reply to a case leaves any more, until somebody lets "
            "them go on. They wait, and a code that waits too long is of no use."
        ),
    ),
}
ALL = StopWords(
    title=_("Pause all sending"),
    text=_(
        "Nothing leaves any more: no codes, no order messages, no replies. Everything waits and is sent "
        "when somebody lets it go on."
    ),
)


def words_of(scope: str, value: str) -> StopWords | None:
    """Return what the dialog says about a stop, None if there is nothing of that name to stop."""
    if scope == "all" and not value:
        return ALL
    if scope == "class" and value in MessageClass.values:
        return CLASSES[MessageClass(value)]
    if scope == "channel" and value in Channel.values:
        return StopWords(
            title=_("Stop this channel"),
            text=_(
                "Nothing is sent by this channel, neither codes nor replies, until somebody lets it go on. "
                "It waits."
            ),
            name=Channel(value).label,
        )
    if scope == "account" and value.isascii() and value.isdecimal() and len(value) < 10:
        name = ProviderAccount.objects.filter(pk=int(value)).values_list("name", flat=True).first()
        if name is not None:
            return StopWords(
                title=_("Stop a provider account"),
                text=_(
                    "Nothing goes through it. Other accounts of its channel take over; without one, it waits."
                ),
                name=name,
                typed=False,
            )
    if scope == "worker" and value:
        return StopWords(
            title=_("Drain a worker"),
            text=_("It ends what it holds and takes nothing new. Then it is safe to stop or restart."),
            name=value[:120],
            typed=False,
        )
    return None


def who_may_lift() -> str:
    """Return the roles that may let go on what stands still, as the apps grant it."""
    wanted = {
        grant.role for _app, grants in role_grants.items() for grant in grants if LIFT in grant.permissions
    }
    return ", ".join(str(name) for role, name in ROLES.items() if role in wanted)
