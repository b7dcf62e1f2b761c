"""What the law lets a customer ask for: a copy of everything, and to be forgotten."""

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.core.registry import personal_data
from notifyhub.customers.models import Customer
from notifyhub.staff.services import audit


@transaction.atomic
def export_personal_data(*, customer_id: int, reason: str) -> dict[str, Any]:
    """Return all that every app keeps about the customer, by model; put on record who took the copy."""
    if len(reason.strip()) < 4:
        raise Refused(_("Give a reason of a few words; it is kept in the audit trail."), field="reason")
    customer = Customer.objects.get(pk=customer_id)
    audit.record(verb="export_personal_data", obj=customer, label=f"#{customer_id}", reason=reason.strip())
    copy: dict[str, Any] = {name: handler.export(customer_id) for name, handler in personal_data.items()}
    return {"customer": str(customer.public_id), "made_at": timezone.now(), "data": copy}


@transaction.atomic
def erase_customer(*, customer_id: int, reason: str) -> int:
    """Erase a customer in every app and return how many rows changed; the statistics keep a skeleton."""
    if len(reason.strip()) < 4:
        raise Refused(_("Give a reason of a few words; it is kept in the audit trail."), field="reason")
    customer = Customer.objects.select_for_update().filter(pk=customer_id).first()
    if customer is None or customer.state != Customer.State.ACTIVE:
        raise Refused(_("Only an active customer can be erased."))
    changed = sum(handler.erase(customer_id) for handler in personal_data)
    audit.record(
        verb="erase_customer", obj=customer, label=f"#{customer_id}", reason=reason.strip(), rows=changed
    )
    return changed
