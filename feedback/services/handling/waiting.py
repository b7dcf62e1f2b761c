"""Parking a case on somebody else, and taking it up again."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from feedback.models import Case, Interaction
from feedback.services.transitions import lock_case, refuse_move, transition
from notifyhub.core.errors import Refused
from notifyhub.staff.models import User

MAX_WAIT = timedelta(days=30)
MAX_WAIT_CUSTOMER = timedelta(days=7)


def was_contacted(case: Case) -> bool:
    """Say whether the customer heard from us, or we tried, in this cycle."""
    said = Interaction.objects.filter(case=case, cycle=case.cycle).exclude(direction="internal")
    return said.filter(Q(kind="call") | Q(kind="reply")).exclude(state="failed").exists()


@transaction.atomic
def wait_case(
    *,
    case_id: int,
    actor: User,
    party: str,
    reason: str,
    until: datetime | None,
    version: int | None,
) -> Case:
    """Park an open case on "customer", "dept" or "third"; return it.

    Waiting for the customer needs a message to them in this cycle: nobody is parked in silence.
    """
    trigger = f"wait_{party}"
    if trigger not in ("wait_customer", "wait_dept", "wait_third"):
        raise Refused(_("Choose for whom the case waits."), field="party")
    case = lock_case(case_id, version=version)
    refuse_move(case, trigger, actor)
    reason = reason.strip()
    if not reason:
        raise Refused(_("Say what the case waits for; the next reader needs it."), field="reason")
    now = timezone.now()
    longest = MAX_WAIT_CUSTOMER if party == "customer" else MAX_WAIT
    if until is None or not now < until <= now + longest:
        raise Refused(_("Choose a time within the next %d days.") % longest.days, field="until")
    if party == "customer" and not was_contacted(case):
        raise Refused(
            _("Write to the customer first: a case cannot wait for somebody who was not asked."),
            field="party",
        )
    return transition(
        case_id=case_id,
        trigger=trigger,
        actor=actor,
        changes={"wait_reason": reason[:200], "wait_until": until},
        data={"until": until.isoformat()},
    )


def resume_case(*, case_id: int, actor: User | None, version: int | None = None) -> Case:
    """Take a waiting case up again; return it."""
    return transition(case_id=case_id, trigger="resume", actor=actor, version=version)
