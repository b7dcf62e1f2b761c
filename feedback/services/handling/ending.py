"""Resolving, reopening, setting aside, closing."""

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from feedback.models import Case
from feedback.services import holds, replies
from feedback.services.handling.facts import read_category
from feedback.services.handling.waiting import was_contacted
from feedback.services.transitions import lock_case, refuse_move, transition
from notifyhub.core.errors import Refused
from notifyhub.staff.models import User


@transaction.atomic
def resolve_case(
    *,
    case_id: int,
    actor: User,
    decision: str,
    resolution_code: str,
    root_cause: str,
    version: int | None,
    message: str = "",
    channel: str = "",
    category_id: int | None = None,
) -> Case:
    """Resolve the case, with a last message to the customer if there is one; return it.

    Raises Refused (with the field) when something the reports need is missing, or the customer heard
    nothing in this cycle.
    """
    case = lock_case(case_id, version=version)
    refuse_move(case, "resolve", actor)
    for field, value, choices in (
        ("decision", decision, Case.Decision.values),
        ("resolution_code", resolution_code, Case.Resolution.values),
        ("root_cause", root_cause, Case.RootCause.values),
    ):
        if value not in choices:
            raise Refused(_("Choose one; the reports are made of it."), field=field)
    if case.customer_id is None:
        raise Refused(_("Say first which customer this case belongs to."), field="decision")
    if message.strip():
        replies.reply(case_id=case_id, actor=actor, body=message, channel=channel, version=None)
    elif not was_contacted(case):
        raise Refused(
            _("The customer has heard nothing since the case was opened, or the last message failed. "
              "Write to them here, or log the call."),
            field="message",
        )  # fmt: skip
    changes: dict[str, Any] = {
        "decision": decision,
        "resolution_code": resolution_code,
        "root_cause": root_cause,
        "resolved_at": timezone.now(),
        "unanswered": False,
    }
    if category_id is not None:
        changes["category_id"] = read_category(category_id).pk
    data = {"decision": decision, "resolution": resolution_code, "cause": root_cause}
    return transition(case_id=case_id, trigger="resolve", actor=actor, changes=changes, data=data)


@transaction.atomic
def reopen_case(*, case_id: int, actor: User | None, reason: str, version: int | None = None) -> Case:
    """Open a resolved case again in a new cycle with a new clock; return it."""
    case = lock_case(case_id, version=version)
    refuse_move(case, "reopen", actor)
    if not reason.strip():
        raise Refused(_("Say why the case is opened again."), field="reason")
    if case.resolved_at and timezone.now() - case.resolved_at > Case.REOPEN_WITHIN:
        raise Refused(
            _("This case was resolved more than %d days ago. Log a new one.") % Case.REOPEN_WITHIN.days
        )
    return transition(
        case_id=case_id,
        trigger="reopen",
        actor=actor,
        changes={
            "cycle": case.cycle + 1,
            "reopen_count": case.reopen_count + 1,
            "resolved_at": None,
            "decision": "",
            "resolution_code": "",
            "root_cause": "",
        },
        data={"reason": reason.strip()[:200]},
    )


@transaction.atomic
def void_case(*, case_id: int, actor: User, reason: str, version: int | None) -> Case:
    """Set aside a case that is spam, a test or a mistake; return it. Serious ones cannot be."""
    case = lock_case(case_id, version=version)
    refuse_move(case, "void", actor)
    if case.is_serious_complaint or case.kind == Case.Kind.REGULATOR:
        raise Refused(_("A serious complaint or a regulator case cannot be set aside; resolve it."))
    if not reason.strip():
        raise Refused(_("Say why this is no case."), field="reason")
    moved = transition(case_id=case_id, trigger="void", actor=actor, data={"reason": reason.strip()[:200]})
    holds.sync_hold(moved)
    return moved


def close_case(*, case_id: int) -> Case:
    """Close a resolved case for good, as the tick does; return it."""
    return transition(case_id=case_id, trigger="close", actor=None, changes={"closed_at": timezone.now()})
