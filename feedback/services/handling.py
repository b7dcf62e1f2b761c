"""What people do with a case besides answering it: claim, assign, wait, resolve, reopen, correct."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from feedback.models import Case, CaseState, Category, Interaction, Severity
from feedback.models.flow import OPEN_STATES
from feedback.services import holds, news, replies
from feedback.services.transitions import change_case, lock_case, refuse_move, transition
from notifyhub.core.errors import Refused
from notifyhub.staff.models import User

MAX_WAIT = timedelta(days=30)
MAX_WAIT_CUSTOMER = timedelta(days=7)


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
    if party == "customer" and not _was_contacted(case):
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


def _was_contacted(case: Case) -> bool:
    """Say whether the customer heard from us, or we tried, in this cycle."""
    said = Interaction.objects.filter(case=case, cycle=case.cycle).exclude(direction="internal")
    return said.filter(Q(kind="call") | Q(kind="reply")).exclude(state="failed").exists()


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
    elif not _was_contacted(case):
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
        changes["category_id"] = _category(category_id).pk
    data = {"decision": decision, "resolution": resolution_code, "cause": root_cause}
    moved = transition(case_id=case_id, trigger="resolve", actor=actor, changes=changes, data=data)
    news.tell_closed(moved)
    return moved


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


def _category(category_id: int) -> Category:
    category = Category.objects.filter(pk=category_id, active=True).first()
    if category is None:
        raise Refused(_("Choose a category from the list."), field="category")
    return category


@transaction.atomic
def update_facts(
    *,
    case_id: int,
    actor: User,
    version: int | None,
    category_id: int | None = None,
    severity: str = "",
    order_number: str | None = None,
    summary: str = "",
    customer_id: int | None = None,
) -> Case:
    """Correct what a case says about itself; return it. Clocks that run keep their deadline."""
    case = lock_case(case_id, version=version)
    if not (case.owned_by(actor) or case.owner_id is None or actor.has_perm("feedback.assign_case")):
        raise Refused(_("Only the owner or a lead can change these facts."))
    changes: dict[str, Any] = {}
    if category_id is not None and category_id != case.category_id:
        changes["category_id"] = _category(category_id).pk
    if severity and severity != case.severity:
        if severity not in Severity.values:
            raise Refused(_("Choose a severity from S1 to S4."), field="severity")
        changes["severity"] = severity
        changes["priority"] = severity.replace("S", "P")
    if order_number is not None and order_number.strip() != case.order_number:
        changes["order_number"] = order_number.strip()[:64]
        changes["subject_ref"] = f"order:{changes['order_number']}" if changes["order_number"] else ""
    if summary and summary.strip() != case.summary:
        if not 5 <= len(summary.strip()) <= 120:
            raise Refused(_("Write 5 to 120 characters."), field="summary")
        changes["summary"] = summary.strip()
    if customer_id is not None and customer_id != case.customer_id:
        changes["customer_id"] = customer_id
    if not changes:
        return case
    changed = change_case(
        case_id=case_id, kind="update", actor=actor, changes=changes, data={"fields": sorted(changes)}
    )
    holds.sync_hold(changed)
    if "severity" in changes:
        news.tell_leads(changed)
    return changed
