"""What keeps a dispatch from moving although nobody paused it, so that its page never looks stuck."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.templatetags.nh import when
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.engine.accounts import SANDBOX
from notifyhub.messaging.models import AccountGate, Dispatch, Halt, ProviderAccount
from notifyhub.messaging.services.halts import HaltLine, halts_in_force

State = Dispatch.State
MOVING = (State.PLANNING, State.RUNNING)
Scope = Halt.Scope


@dataclass(frozen=True, kw_only=True)
class Holding:
    """One thing that holds messages back, as a sentence and what is known about it."""

    words: str
    detail: str = ""


def what_holds(dispatch: Dispatch) -> list[Holding]:
    """Return what holds messages of this dispatch back now, the widest first, in at most three queries;
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
    return f"{halt.reason} {words}".strip()


def _channels_without_account(channels: Iterable[str], halts: Iterable[HaltLine]) -> list[Holding]:
    """Return a line for each channel of which no account takes anything now."""
    stopped = {halt.value: halt for halt in halts if halt.scope == Scope.ACCOUNT}
    ranked: dict[str, list[ProviderAccount]] = defaultdict(list)
    accounts = ProviderAccount.objects.filter(active=True, channel__in=channels).select_related("gate")
    for account in accounts.order_by("channel", "priority", "pk"):
        ranked[account.channel].append(account)
    lines = []
    for channel, known in ranked.items():
        serving = [account for account in known if account.backend != SANDBOX] or known
        if not all(str(account.pk) in stopped or _shut(account) for account in serving):
            continue
        first = serving[0]
        label = Channel(channel).label
        if halt := stopped.get(str(first.pk)):
            words = _("%(channel)s waits: the account %(name)s is stopped.")
            detail = _ordered(halt)
        else:
            words, detail = _("%(channel)s waits: the account %(name)s does not answer."), _retry(first)
        lines.append(Holding(words=words % {"channel": label, "name": first.name}, detail=detail))
    return lines


def _gate(account: ProviderAccount) -> Any:
    return getattr(account, "gate", None)


def _shut(account: ProviderAccount) -> bool:
    gate = _gate(account)
    return gate is not None and gate.circuit != AccountGate.Circuit.CLOSED


def _retry(account: ProviderAccount) -> str:
    gate = _gate(account)
    if gate is None or gate.retry_at is None or gate.retry_at <= timezone.now():
        return _("It is tried again by itself.")
    return _("It is tried again by itself, next at %(at)s.") % {"at": when(gate.retry_at)}
