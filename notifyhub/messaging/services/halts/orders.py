"""Ordering a stop and lifting it. Workers ask the rows, so this needs no broker."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from celery import current_app
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifyhub.core.errors import Refused
from notifyhub.customers.models.consent import Channel, MessageClass
from notifyhub.messaging.engine import bells
from notifyhub.messaging.models import Halt, ProviderAccount
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.staff.context import current_actor
from notifyhub.staff.models import NodeBeat
from notifyhub.staff.services import audit

logger = logging.getLogger(__name__)
Scope = Halt.Scope

# What a person may order; `restored` comes from restoring a backup alone.
ORDERED = (Scope.ALL, Scope.CLASS, Scope.CHANNEL, Scope.ACCOUNT, Scope.WORKER)


@dataclass(frozen=True, kw_only=True)
class HaltLine:
    """A halt in force in the reader's words."""

    id: int
    scope: str
    value: str
    words: str
    reason: str
    by: str
    since: datetime


def _check_target(scope: str, value: str) -> None:
    """Raise Refused unless there is such a thing to stop."""
    if scope not in ORDERED:
        raise Refused(_("Choose what is to stand still."), field="scope")
    exists = {
        Scope.ALL: lambda: value == "",
        Scope.CLASS: lambda: value in MessageClass.values,
        Scope.CHANNEL: lambda: value in Channel.values,
        Scope.ACCOUNT: lambda: (
            value.isascii()
            and value.isdecimal()
            and len(value) < 10
            and ProviderAccount.objects.filter(pk=int(value)).exists()
        ),
        Scope.WORKER: lambda: NodeBeat.objects.filter(kind="worker", name=value).exists(),
    }[Scope(scope)]
    if not exists():
        raise Refused(_("There is nothing of that name to stop."), field="value")


def place_halt(*, scope: str, value: str = "", reason: str) -> Halt:
    """Order a stop; return it. No new window opens for what it covers, wherever a worker runs.

    Refused without a reason, for what does not exist, and for what stands still already.
    """
    _check_target(scope, value)
    reason = reason.strip()
    if not reason:
        raise Refused(_("Say why, so that a colleague knows what to wait for."), field="reason")
    try:
        with transaction.atomic():
            halt = Halt.objects.create(
                scope=scope, value=value, reason=reason[:200], placed_by=current_actor().name[:120]
            )
            audit.record(verb="place_halt", obj=halt, reason=reason, scope=scope, value=value)
            if scope == Scope.WORKER:
                transaction.on_commit(lambda: _tell_worker(value, listen=False), robust=True)
    except IntegrityError:
        raise Refused(_("This stands still already."), code="state") from None
    return halt


@transaction.atomic
def lift_halt(*, halt_id: int) -> Halt:
    """Let what it covers go on; return the halt. Refused if it was lifted already."""
    lifted = Halt.objects.filter(pk=halt_id, lifted_at=None).update(
        lifted_at=timezone.now(), lifted_by=current_actor().name[:120]
    )
    if not lifted:
        raise Refused(_("Somebody let this go on already."), code="state")
    halt = Halt.objects.get(pk=halt_id)
    audit.record(verb="lift_halt", obj=halt, scope=halt.scope, value=halt.value)
    for priority in Priority:
        bells.ring_for(priority)
    if halt.scope == Scope.WORKER:
        transaction.on_commit(lambda: _tell_worker(halt.value, listen=True), robust=True)
    return halt


def _tell_worker(name: str, *, listen: bool) -> None:
    """Ask the node to stop, or start, taking bells of sending, so that others hear them.

    Only a courtesy: a drained worker that hears a bell leases nothing.
    """
    row = NodeBeat.objects.filter(name=name).first()
    verb = "add_consumer" if listen else "cancel_consumer"
    for queue in (row.queues if row else "").split(","):
        if queue not in ("realtime", "bulk"):
            continue
        try:
            current_app.control.broadcast(verb, arguments={"queue": queue}, destination=[name], reply=False)
        except Exception as error:
            logger.warning("Worker %s could not be told (%s); it asks the database.", name, error)
            return


_WORDS = {
    Scope.ALL: gettext_lazy("All sending stands still."),
    Scope.CHANNEL: gettext_lazy("Nothing is sent by %(name)s."),
    Scope.ACCOUNT: gettext_lazy("Nothing is sent through the account %(name)s."),
    Scope.WORKER: gettext_lazy("Worker %(name)s is drained: it takes nothing new."),
    Scope.RESTORED: gettext_lazy("The database was restored: what was overdue then is held back."),
}
_CLASS_WORDS = {
    MessageClass.PROMOTIONAL: gettext_lazy("All promotions stand still."),
    MessageClass.INFORMATIONAL: gettext_lazy("All informational messages stand still."),
    MessageClass.SERVICE: gettext_lazy("All service messages stand still."),
    MessageClass.TRANSACTIONAL: gettext_lazy("All transactional messages stand still."),
}


def _words(halt: Halt, accounts: dict[int, str]) -> str:
    if halt.scope == Scope.CLASS:
        return str(_CLASS_WORDS[MessageClass(halt.value)])
    name: Any = halt.value
    if halt.scope == Scope.CHANNEL:
        name = Channel(halt.value).label
    elif halt.scope == Scope.ACCOUNT:
        name = accounts.get(int(halt.value), halt.value)
    return str(_WORDS[Scope(halt.scope)]) % {"name": name}


def _account_names(halts: Iterable[Halt]) -> dict[int, str]:
    numbers = [int(one.value) for one in halts if one.scope == Scope.ACCOUNT]
    return dict(ProviderAccount.objects.filter(pk__in=numbers).values_list("pk", "name"))


def halts_in_force(*, scopes: Iterable[str] = Scope.values) -> list[HaltLine]:
    """Return what stands still now, the widest first, in two queries; one if no account does."""
    order = list(Scope.values)
    halts = sorted(
        Halt.objects.filter(lifted_at=None, scope__in=list(scopes)),
        key=lambda one: (order.index(one.scope), one.pk),
    )
    accounts = _account_names(halts)
    return [
        HaltLine(
            id=halt.pk,
            scope=halt.scope,
            value=halt.value,
            words=_words(halt, accounts),
            reason=halt.reason,
            by=halt.placed_by,
            since=halt.placed_at,
        )
        for halt in halts
    ]
