"""Lines of the thread that are not sent: internal notes and calls."""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from feedback.models import Case, Interaction, Metric
from feedback.models.flow import ENDED
from feedback.services import clocks, drafts
from feedback.services.contacting import count_contact
from feedback.services.transitions import lock_case, record_event, transition
from notifyhub.core.errors import Refused
from notifyhub.staff.models import User

MAX_BODY = 8000


@transaction.atomic
def add_note(*, case_id: int, actor: User, body: str) -> Interaction:
    """Add a line that the customer never sees; return it. Notes only add, so they need no version."""
    case = _writable(case_id, actor)
    return _add(case, actor, Interaction.Kind.NOTE, Interaction.Direction.INTERNAL, body)


@transaction.atomic
def log_call(*, case_id: int, actor: User, body: str) -> Interaction:
    """Write down a call with the customer; return the line.

    A live call answers the customer: it meets the first-reply clock, and ends waiting for them.
    """
    case = _writable(case_id, actor)
    if case.state in ENDED:
        raise Refused(_("This case is closed. Log a new one; it can name this one."), field="body")
    line = _add(case, actor, Interaction.Kind.CALL, Interaction.Direction.IN, body)
    if case.state == Case.State.WAIT_CUSTOMER:
        transition(case_id=case.pk, trigger="customer_replied", actor=actor)
    Case.objects.filter(pk=case.pk).update(last_customer_at=line.at, last_agent_at=line.at, unanswered=False)
    count_contact(case)
    clocks.stop_clocks(case.pk, Metric.FIRST_REPLY, at=line.at)
    clocks.show_next_due([case.pk])
    return line


def _writable(case_id: int, actor: User) -> Case:
    case = lock_case(case_id)
    if not actor.has_perm("feedback.change_case"):
        raise Refused(_("You may read this case, not write in it."), field="body")
    return case


def _add(case: Case, actor: User, kind: str, direction: str, body: str) -> Interaction:
    body = body.strip()
    if not body:
        raise Refused(_("Write something first."), field="body")
    if len(body) > MAX_BODY:
        raise Refused(_("Shorten the text to %d characters.") % MAX_BODY, field="body")
    line = Interaction.objects.create(
        case=case,
        origin_case=case,
        cycle=case.cycle,
        direction=direction,
        kind=kind,
        at=timezone.now(),
        author=actor,
        body=body,
    )
    record_event(case, kind, actor, data={"interaction": line.pk})
    drafts.drop_draft(case_id=case.pk, user=actor)
    return line
