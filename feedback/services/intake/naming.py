"""Saying later whose case it is."""

from django.db import transaction
from django.utils.translation import gettext as _

from feedback.models import Case
from feedback.services import holds, telling
from feedback.services.intake.callers import find_customer, read_caller
from feedback.services.transitions import change_case, lock_case
from notifyhub.core.errors import Refused
from notifyhub.staff.models import User


@transaction.atomic
def name_customer(
    *, case_id: int, actor: User, version: int | None, customer_id: int | None, phone: str = ""
) -> Case:
    """Say which customer a case belongs to, which nobody knew when it was logged; return it.

    A number that nobody has makes a provisional customer, as it does when a call is logged.
    """
    case = lock_case(case_id, version=version)
    if case.customer_id is not None:
        raise Refused(_("This case has its customer already."), field="phone")
    if not (case.owner_id is None or case.owned_by(actor) or actor.has_perm("feedback.assign_case")):
        raise Refused(_("Only the owner or a lead can change these facts."), field="phone")
    customer = find_customer(customer_id, None if customer_id else read_caller(phone))
    if customer is None:
        raise Refused(_("Choose one of the customers found, or type the whole number."), field="phone")
    named = change_case(
        case_id=case_id, kind="name_customer", actor=actor, version=version, changes={"customer": customer}
    )
    holds.sync_hold(named)
    telling.tell_opened(named)
    return named
