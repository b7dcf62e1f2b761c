"""Creating and changing single customers; many at once come by import."""

from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Conflict, Refused
from notifyhub.customers.models import ContactPoint, Customer
from notifyhub.customers.services.contacts import contact_row, read_contact
from notifyhub.customers.signals import customers_upserted
from notifyhub.staff.services import audit

EDITABLE = ("external_id", "name", "locale", "time_zone", "city", "attributes", "tags")


@transaction.atomic
def create_customer(
    *, contacts: dict[str, str] | None = None, provisional: bool = False, **fields: Any
) -> Customer:
    """Create a customer with one primary contact point per kind in `contacts`; return it.

    Raises Refused if a contact cannot be one, or the customer number is taken.
    """
    read = [read_contact(kind=kind, raw=raw) for kind, raw in (contacts or {}).items() if raw]
    external_id = fields.pop("external_id", None) or None
    try:
        with transaction.atomic():
            customer = Customer.objects.create(external_id=external_id, provisional=provisional, **fields)
    except IntegrityError as error:
        raise Refused(_("Another customer has this number already."), field="external_id") from error
    ContactPoint.objects.bulk_create([contact_row(contact, customer_id=customer.pk) for contact in read])
    audit.record(verb="create_customer", obj=customer, label=f"#{customer.pk}", provisional=provisional)
    _tell(customer)
    return customer


@transaction.atomic
def update_customer(*, customer_id: int, changes: dict[str, Any], version: int | None) -> Customer:
    """Write the changed fields if the row still has `version`; return it. Raises Conflict otherwise."""
    unknown = set(changes) - set(EDITABLE)
    if unknown:
        raise Refused(_("These fields cannot be changed: %s") % ", ".join(sorted(unknown)))
    if "external_id" in changes:
        changes = {**changes, "external_id": changes["external_id"] or None}
    rows = Customer.objects.filter(pk=customer_id, state=Customer.State.ACTIVE)
    if version is not None:
        rows = rows.filter(version=version)
    try:
        with transaction.atomic():
            moved = rows.update(**changes, version=F("version") + 1, updated_at=timezone.now())
    except IntegrityError as error:
        raise Refused(_("Another customer has this number already."), field="external_id") from error
    if not moved:
        raise Conflict(
            _("Somebody changed this customer meanwhile. Your entries are kept; compare and save again.")
        )
    customer = Customer.objects.get(pk=customer_id)
    audit.record(verb="update_customer", obj=customer, label=f"#{customer.pk}", fields=sorted(changes))
    _tell(customer)
    return customer


def _tell(customer: Customer) -> None:
    transaction.on_commit(partial(customers_upserted.send_robust, sender=Customer, ids=[customer.pk]))
