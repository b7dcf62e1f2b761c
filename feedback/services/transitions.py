"""The one way in which a case changes."""

from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from feedback.models import Case, CaseEvent
from feedback.models.flow import BY_TRIGGER, triggers_from
from feedback.services import clocks, telling
from notifyhub.core.errors import Conflict, Refused
from notifyhub.staff.models import User
from notifyhub.staff.services import audit


def lock_case(case_id: int, *, version: int | None = None) -> Case:
    """Return the case, locked until commit; raise Conflict if it has another version than expected.

    The lock is taken before its clocks and its thread are read, so that all writers of one case queue here.
    """
    case = Case.objects.select_for_update(of=("self",)).filter(pk=case_id).first()
    if case is None:
        raise Refused(_("This case does not exist."))
    if version is not None and case.version != version:
        raise Conflict(
            _("Somebody changed this case after you opened it. Your text is kept; look and send again."),
            current=case.version,
        )
    return case


def may_pull(case: Case, trigger: str, actor: User | None) -> bool:
    """Say whether `actor` (None is the system) may pull `trigger` on this case, its state aside."""
    who = BY_TRIGGER[trigger].who
    if actor is None:
        return "system" in who
    if actor.has_perm("feedback.assign_case"):
        return bool({"lead", "owner", "agent"} & set(who))
    if not actor.has_perm("feedback.change_case"):
        return False
    return "agent" in who or ("owner" in who and case.owned_by(actor))


def legal_triggers(case: Case, actor: User) -> set[str]:
    """Return the triggers that `actor` may pull on this case now."""
    return {trigger for trigger in triggers_from(case.state) if may_pull(case, trigger, actor)}


def refuse_move(case: Case, trigger: str, actor: User | None) -> None:
    """Raise Refused if the state forbids the move, or the person."""
    if case.state not in BY_TRIGGER[trigger].sources:
        raise Refused(
            _("%(number)s is “%(state)s” now; this cannot be done in that state.")
            % {"number": case.number, "state": case.get_state_display()},
            code="illegal_move",
        )
    if not may_pull(case, trigger, actor):
        if case.owner_id and "owner" in BY_TRIGGER[trigger].who:
            raise Refused(
                _("%s owns this case. Leave an internal note, or ask a lead to assign it to you.")
                % case.owner,
                code="not_yours",
            )
        raise Refused(_("Claim the case first."), code="not_yours")


@transaction.atomic
def transition(
    *,
    case_id: int,
    trigger: str,
    actor: User | None,
    version: int | None = None,
    only: Q | None = None,
    changes: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
) -> Case:
    """Move a case along one edge of the table, write its event and move its clocks; return the case.

    Raises Conflict on a stale `version`, Refused if the table or the rules of the trigger say no. `only`
    narrows the one UPDATE further (a claim: nobody owns it); if it misses, the caller explains why.
    """
    case = lock_case(case_id, version=version)
    refuse_move(case, trigger, actor)
    edge = BY_TRIGGER[trigger]
    now = timezone.now()
    changes = changes or {}
    if case.is_waiting and edge.to != case.state:
        changes = {"wait_reason": "", "wait_until": None, **changes}
    rows = Case.objects.filter(pk=case.pk, state=case.state, version=case.version)
    if only is not None:
        rows = rows.filter(only)
    if not rows.update(state=edge.to, version=F("version") + 1, **changes):
        raise Refused(_("The case has changed meanwhile."), code="missed")
    moved = Case.objects.get(pk=case.pk)
    record_event(moved, trigger, actor, from_state=case.state, to_state=edge.to, data=data)
    clocks.follow_move(moved, trigger, now=now)
    telling.tell_moved(moved, before=case.state, at=now)
    moved.refresh_from_db(fields=["next_due_at", "next_metric"])
    return moved


@transaction.atomic
def change_case(
    *,
    case_id: int,
    kind: str,
    actor: User | None,
    version: int | None = None,
    changes: dict[str, Any],
    data: dict[str, Any] | None = None,
) -> Case:
    """Write facts that are not the state, with an event of `kind`; return the case. Raises Conflict."""
    case = lock_case(case_id, version=version)
    Case.objects.filter(pk=case.pk, version=case.version).update(version=F("version") + 1, **changes)
    changed = Case.objects.get(pk=case.pk)
    record_event(changed, kind, actor, data=data)
    return changed


def record_event(
    case: Case,
    kind: str,
    actor: User | None,
    *,
    from_state: str = "",
    to_state: str = "",
    data: dict[str, Any] | None = None,
) -> None:
    """Write one line of the case's history, and of the audit trail when a person acts."""
    CaseEvent.objects.create(
        case=case,
        at=timezone.now(),
        kind=kind,
        actor=actor,
        actor_name=str(actor)[:120] if actor else "system",
        from_state=from_state if from_state != to_state else "",
        to_state=to_state if from_state != to_state else "",
        data=data or {},
    )
    if actor is not None:
        audit.record(verb=f"{kind}_case", obj=case, to=to_state or case.state, **(data or {}))
