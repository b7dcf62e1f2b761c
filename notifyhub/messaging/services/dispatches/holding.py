"""What keeps a dispatch from moving although nobody paused it, so that its page never looks stuck."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.templatetags.nh import when
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.models import Dispatch, Halt
from notifyhub.messaging.services.halts import HaltLine, halts_in_force
from notifyhub.messaging.services.pace import channel_paces

State = Dispatch.State
MOVING = (State.PLANNING, State.RUNNING)
Scope = Halt.Scope


@dataclass(frozen=True, kw_only=True)
class Holding:
    """One thing that holds messages back, as a sentence and what is known about it."""

    words: str
    detail: str = ""


def what_holds(dispatch: Dispatch) -> list[Holding]:
    """Return what holds messages of this dispatch back now, the widest first, in at most two queries;
    nothing for one that is paused, ended or not due."""
    if dispatch.state not in MOVING:
        return []
    channels = {str(step["channel"]) for step in dispatch.chain}
    halts = halts_in_force()
    lines = [
        Holding(words=halt.words, detail=_ordered(halt))
        for halt in halts
        if halt.scope == Scope.ALL
        or (halt.scope == Scope.CLASS and halt.value == dispatch.message_class)
        or (halt.scope == Scope.CHANNEL and halt.value in channels)
        or (halt.scope == Scope.RESTORED and dispatch.created_at < halt.since)
    ]
    return lines + _channels_without_account(channels, halts)


def _ordered(halt: HaltLine) -> str:
    words = _("Ordered by %(who)s at %(at)s.") % {"who": halt.by or "—", "at": when(halt.since)}
    return " · ".join(part for part in (halt.reason, words) if part)


def _channels_without_account(channels: Collection[str], halts: Iterable[HaltLine]) -> list[Holding]:
    """Return a line for each channel of which no account takes anything now."""
    stopped = {halt.value: halt for halt in halts if halt.scope == Scope.ACCOUNT}
    lines = []
    for channel, pace in channel_paces(channels).items():
        if not pace.shut:
            continue
        label, name = Channel(channel).label, pace.names[0]
        if halt := stopped.get(str(pace.first_id)):
            words = _("%(channel)s waits: the account %(name)s is stopped.")
            detail = _ordered(halt)
        else:
            words = _("%(channel)s waits: the account %(name)s does not answer.")
            detail = _retry(pace.retry_at)
        lines.append(Holding(words=words % {"channel": label, "name": name}, detail=detail))
    return lines


def _retry(retry_at: datetime | None) -> str:
    if retry_at is None or retry_at <= timezone.now():
        return _("It is tried again by itself.")
    return _("It is tried again by itself, next at %(at)s.") % {"at": when(retry_at)}
