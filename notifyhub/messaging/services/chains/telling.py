"""What one person got over the steps of a chain, why the next step followed, and what comes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.html import strip_tags
from django.utils.translation import gettext as _

from notifyhub.core.templatetags.nh import duration, when
from notifyhub.customers.models.consent import MessageClass
from notifyhub.messaging.engine.chain_rules import READ
from notifyhub.messaging.models import Batch, Delivery, Dispatch
from notifyhub.messaging.services.chains.wording import channel_label, until_of

State = Delivery.State
OPEN = (Dispatch.State.RUNNING, Dispatch.State.PAUSED)


@dataclass(frozen=True, kw_only=True)
class Told:
    """One message of the person and what became of it; `then` says why the next step followed or what is
    waited for, `here` whether it is the one that was asked about."""

    delivery: Delivery
    number: int
    label: str
    at: datetime
    then: str
    here: bool


def tell_steps(*, dispatch: Dispatch, delivery: Delivery) -> list[Told]:
    """Return the person's messages of this dispatch by step; nothing for a chain of one. Two look-ups."""
    if len(dispatch.chain) < 2:
        return []
    rows = list(
        Delivery.objects.filter(dispatch_id=dispatch.pk, dedup_key=delivery.dedup_key).order_by("step")
    )
    told = []
    for place, row in enumerate(rows):
        following = rows[place + 1] if place + 1 < len(rows) else None
        told.append(
            Told(
                delivery=row,
                number=row.step + 1,
                label=channel_label(row.channel),
                at=row.settled_at or row.send_at,
                then=_why_next(dispatch, row) if following else _what_next(dispatch, row),
                here=row.pk == delivery.pk,
            )
        )
    return told


def _step(dispatch: Dispatch, row: Delivery) -> dict[str, Any]:
    return dispatch.chain[row.step] if row.step < len(dispatch.chain) else {}


def _why_next(dispatch: Dispatch, row: Delivery) -> str:
    """Return why somebody needed the step after this message."""
    if row.state in (State.FAILED, State.BOUNCED):
        return _("It failed for certain, so the next step followed at once.")
    if row.state == State.SKIPPED:
        return _("It could not go over this channel, so the next step followed at once.")
    step = _step(dispatch, row)
    span = duration(step.get("wait") or 0)
    if until_of(step) == READ:
        return _("Not read within %s, so the next step followed.") % span
    return _("Not delivered within %s, so the next step followed.") % span


def _what_next(dispatch: Dispatch, row: Delivery) -> str:
    """Return what may follow on the last message there is, and when."""
    step = _step(dispatch, row)
    met = row.read_at or (row.state == State.DELIVERED and until_of(step) != READ)
    if met:
        return _("It arrived, so nothing follows.")
    if row.state == State.SKIPPED and row.reason == Delivery.Reason.READ:
        return _("An earlier step had reached them, so nothing follows.")
    if row.step + 1 >= len(dispatch.chain):
        return _("There is no further step.")
    if row.state == State.UNKNOWN and dispatch.message_class not in (
        MessageClass.TRANSACTIONAL,
        MessageClass.SERVICE,
    ):
        return _("It may have arrived, so nothing follows.")
    if dispatch.state not in OPEN:
        return _("Nothing follows: the dispatch has ended.")
    if row.state == State.PLANNED:
        return ""
    if not _is_watched(dispatch, row):
        return _("Nothing follows.")
    if row.state in (State.FAILED, State.BOUNCED, State.SKIPPED):
        return _("Whether another channel reaches them is being looked at.")
    return _waiting(dispatch, row, step)


def _is_watched(dispatch: Dispatch, row: Delivery) -> bool:
    batches = Batch.objects.filter(dispatch=dispatch, lo__lte=row.pk, hi__gte=row.pk)
    return batches.filter(check_at__isnull=False).exists()


def _waiting(dispatch: Dispatch, row: Delivery, step: dict[str, Any]) -> str:
    following = channel_label(dispatch.chain[row.step + 1]["channel"])
    wait = step.get("wait")
    if not isinstance(wait, int) or row.settled_at is None:
        return _("Only a certain failure would be followed, by %s.") % following
    at = strip_tags(str(when(max(row.settled_at, row.send_at) + timedelta(seconds=wait))))
    facts = {"at": at, "next": following}
    if until_of(step) == READ:
        return _("If it is not read by %(at)s, %(next)s follows.") % facts
    return _("If it is not delivered by %(at)s, %(next)s follows.") % facts
