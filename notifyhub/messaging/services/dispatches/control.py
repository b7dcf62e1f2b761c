"""Stopping and going on: honoured by the next window of every worker."""

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notifyhub.core.errors import Refused
from notifyhub.messaging.engine import bells
from notifyhub.messaging.engine.selfpause import tolerated_now
from notifyhub.messaging.models import Dispatch
from notifyhub.staff.services import audit

State = Dispatch.State


def _move(dispatch_id: int, *, to: str, refusal: Any, **changes: Any) -> Dispatch:
    rows = Dispatch.objects.filter(pk=dispatch_id)
    if not Dispatch.FLOW.advance(rows, to=to, **changes):
        if not rows.exists():
            raise Refused(_("There is no such dispatch."), code="missing")
        raise Refused(refusal, code="state")
    return rows.get()


@transaction.atomic
def pause_dispatch(*, dispatch_id: int, reason: str) -> Dispatch:
    """Stop handing over after the windows under way; return the dispatch. Refused unless it is sending."""
    dispatch = _move(
        dispatch_id,
        to=State.PAUSED,
        pause_reason=reason[:200],
        refusal=_("Only a dispatch that is sending can be paused."),
    )
    audit.record(verb="pause_dispatch", obj=dispatch, reason=reason)
    return dispatch


@transaction.atomic
def resume_dispatch(*, dispatch_id: int) -> Dispatch:
    """Go on sending; return the dispatch. Refused unless it is paused.

    What has gone wrong so far is accepted with it: only as much again makes the dispatch pause itself.
    """
    paused = Dispatch.objects.filter(pk=dispatch_id, state=State.PAUSED)
    if not paused.update(state=State.RUNNING, pause_reason="", tolerated=tolerated_now(dispatch_id)):
        raise Refused(_("Only a paused dispatch can be resumed."), code="state")
    dispatch = Dispatch.objects.get(pk=dispatch_id)
    audit.record(verb="resume_dispatch", obj=dispatch)
    bells.ring_for(dispatch.priority)
    return dispatch


@transaction.atomic
def cancel_dispatch(*, dispatch_id: int, reason: str = "") -> Dispatch:
    """Stop for good; return the dispatch. Refused if it has ended.

    One that is not planned yet is cancelled at once; else workers settle what is left as cancelled, so that
    no row is touched by two hands.
    """
    waiting = Dispatch.objects.filter(pk=dispatch_id, state=State.SCHEDULED)
    now = timezone.now()
    if waiting.update(state=State.CANCELLED, pause_reason="", finished_at=now):
        dispatch = Dispatch.objects.get(pk=dispatch_id)
    else:
        dispatch = _move(
            dispatch_id,
            to=State.CANCELLING,
            pause_reason="",
            refusal=_("This dispatch has ended already."),
        )
        bells.ring_for(dispatch.priority)
    audit.record(verb="cancel_dispatch", obj=dispatch, reason=reason)
    return dispatch
