"""Adding a contact point to a customer."""

from functools import partial

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import ContactPoint, Customer
from notifyhub.customers.services.contacts import contact_row, read_contact
from notifyhub.customers.signals import customers_upserted
from notifyhub.staff.services import audit


@transaction.atomic
def add_contact_point(*, customer_id: int, kind: str, raw: str, primary: bool = True) -> ContactPoint:
    """Add a contact point and return it; the first of its kind is the primary one in any case.

    Raises Refused if `raw` cannot be one or the customer has it already.
    """
    if kind not in ContactPoint.Kind.values:
        raise Refused(_("Choose phone, email or another kind."), field="kind")
    try:
        contact = read_contact(kind=kind, raw=raw)
    except Refused as refusal:
        raise Refused(refusal.message, field="value") from refusal
    customer = Customer.objects.select_for_update().filter(pk=customer_id).first()
    if customer is None or customer.state != Customer.State.ACTIVE:
        raise Refused(_("This customer was erased or merged."))
    others = ContactPoint.objects.filter(customer=customer, kind=kind, primary=True)
    if primary:
        others.update(primary=False)
    else:
        primary = not others.exists()
    row = contact_row(contact, customer_id=customer_id, primary=primary)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        raise Refused(_("The customer has this one already."), field="value") from error
    told = partial(customers_upserted.send_robust, sender=Customer, ids=[customer_id])
    transaction.on_commit(told)
    audit.record(verb="add_contact_point", obj=customer, label=f"#{customer_id}", kind=kind, contact=row.pk)
    return row
