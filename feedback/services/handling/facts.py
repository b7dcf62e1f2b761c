"""Correcting what a case says about itself."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from feedback.models import Case, Category, Severity
from feedback.services import holds, news
from feedback.services.transitions import change_case, lock_case
from notifyhub.core.errors import Refused
from notifyhub.staff.models import User


def read_category(category_id: int) -> Category:
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
) -> Case:
    """Correct what a case says about itself; return it. Clocks that run keep their deadline."""
    case = lock_case(case_id, version=version)
    if not (case.owned_by(actor) or case.owner_id is None or actor.has_perm("feedback.assign_case")):
        raise Refused(_("Only the owner or a lead can change these facts."))
    changes: dict[str, Any] = {}
    if category_id is not None and category_id != case.category_id:
        changes["category_id"] = read_category(category_id).pk
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
    if not changes:
        return case
    changed = change_case(
        case_id=case_id, kind="update", actor=actor, changes=changes, data={"fields": sorted(changes)}
    )
    holds.sync_hold(changed)
    if "severity" in changes:
        news.tell_leads(changed)
    return changed
