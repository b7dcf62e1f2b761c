"""Whose case it is: claimed by one, assigned to another."""

from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from feedback.models import Case, CaseState
from feedback.models.flow import OPEN_STATES
from feedback.services import news
from feedback.services.transitions import change_case, lock_case, transition
from notifyhub.core.errors import Refused
from notifyhub.staff.models import User


@transaction.atomic
def claim_case(*, case_id: int, actor: User) -> Case:
    """Make `actor` the owner of a case that has none; return it.

    One conditional UPDATE decides a race. Raises Refused with the name of who was faster.
    """
    case = lock_case(case_id)
    if case.owner_id is None and case.state in OPEN_STATES:
        changes = {"owner": actor, "owned_at": timezone.now()}
        unowned = Q(owner__isnull=True)
        if case.state == CaseState.NEW:
            return transition(case_id=case_id, trigger="claim", actor=actor, only=unowned, changes=changes)
        if actor.has_perm("feedback.change_case"):
            return change_case(case_id=case_id, kind="claim", actor=actor, changes=changes)
    if case.owner_id == actor.pk:
        raise Refused(_("This case is yours already."), code="taken")
    if case.owner_id is None:
        raise Refused(_("This case is closed; nobody can take it."), code="taken")
    seconds = int((timezone.now() - (case.owned_at or case.created_at)).total_seconds())
    ago = _("%d s ago") % seconds if seconds < 100 else _("%d min ago") % (seconds // 60)
    raise Refused(_("%(owner)s took this case %(ago)s.") % {"owner": case.owner, "ago": ago}, code="taken")


@transaction.atomic
def assign_case(
    *, case_id: int, actor: User, owner: User | None, team_id: int | None = None, version: int | None
) -> Case:
    """Give the case to `owner` and team; return it. An agent may pass on what is theirs, a lead anything."""
    case = lock_case(case_id, version=version)
    if case.state not in OPEN_STATES:
        raise Refused(_("Only an open case can be assigned."), field="owner")
    if not actor.has_perm("feedback.assign_case") and not case.owned_by(actor):
        raise Refused(_("Only the owner or a lead can assign this case."), field="owner")
    if owner is not None and not (owner.is_active and owner.has_perm("feedback.change_case")):
        raise Refused(_("%s does not work on cases.") % owner, field="owner")
    changes: dict[str, Any] = {"owner": owner, "owned_at": timezone.now() if owner else None}
    if team_id is not None:
        changes["team_id"] = team_id
    data = {"owner": str(owner) if owner else ""}
    if case.state == CaseState.NEW and owner is not None and actor.has_perm("feedback.assign_case"):
        moved = transition(case_id=case_id, trigger="assign", actor=actor, changes=changes, data=data)
    else:
        moved = change_case(case_id=case_id, kind="assign", actor=actor, changes=changes, data=data)
    if owner is not None and owner != actor:
        news.tell_owner(moved, _("%(actor)s assigned you %(number)s") % {"actor": actor, "number": moved})
    return moved
