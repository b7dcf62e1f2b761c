"""Who calls: the number, the customer behind it, what is open already."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext as _

from feedback.models import Case
from notifyhub.core.contact import digits_of, mask_phone
from notifyhub.core.errors import Refused
from notifyhub.customers.models import ContactPoint, Customer, Order
from notifyhub.customers.services.contacts import last7_hash, normalise, value_hash
from notifyhub.customers.services.customers import create_customer

PHONE = ContactPoint.Kind.PHONE


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The number a case was opened from: checked, or kept as it was told."""

    text: str
    value: str | None
    masked: str = ""

    @property
    def hashes(self) -> tuple[bytes | None, bytes | None]:
        """Return the look-up hashes of the whole number and of its last seven digits."""
        if self.value is None:
            return None, None
        return value_hash(kind=PHONE, value=self.value), last7_hash(digits_of(self.value))

    @property
    def last4(self) -> str:
        """Return the last four digits, of an unchecked number too."""
        return digits_of(self.text)[-4:]


def read_caller(phone: str) -> Caller | None:
    """Return the caller behind what was typed, None for nothing; raise Refused for what is no number."""
    text = unicodedata.normalize("NFKC", phone or "").replace("\x00", "").strip()[:40]
    if not text:
        return None
    digits = digits_of(text)
    if len(digits) < 5:
        raise Refused(_("Choose one of the customers found, or type the whole number."), field="phone")
    value = normalise(kind=PHONE, raw=text)
    # Landlines and foreign numbers come in spellings we do not know: kept, marked, found by four digits.
    return Caller(
        text=value or text, value=value, masked=mask_phone(value) if value else f"****{digits[-4:]}"
    )


def customers_with_phone(value: str) -> list[Customer]:
    """Return the active customers whose phone this is."""
    points = ContactPoint.objects.filter(kind=PHONE, value_hash=value_hash(kind=PHONE, value=value))
    return list(
        Customer.objects.filter(pk__in=points.values("customer_id"), state=Customer.State.ACTIVE).order_by(
            "provisional", "-id"
        )[:5]
    )


def open_duplicates(*, customer_id: int | None, phone: str = "", limit: int = 5) -> list[Case]:
    """Return the open cases of this customer or from this number, newest first."""
    wanted = Q(pk__in=[])
    if customer_id:
        wanted |= Q(customer_id=customer_id)
    value = normalise(kind=PHONE, raw=phone) if phone else None
    if value:
        wanted |= Q(contact_hash=value_hash(kind=PHONE, value=value))
    rows = Case.objects.open().filter(wanted).select_related("category", "owner")
    return list(rows.defer("contact_phone").order_by("-created_at")[:limit])


def likely_orders(*, customer_id: int, now: datetime, limit: int = 3) -> list[Order]:
    """Return the customer's last orders, newest first; the page proposes one of the last 48 hours."""
    return list(Order.objects.filter(customer_id=customer_id).order_by("-placed_at")[:limit])


def find_customer(customer_id: int | None, caller: Caller | None, *, ask: bool = True) -> Customer | None:
    """Return the customer meant; one of several is asked for, or left open if there is nobody to `ask`."""
    if customer_id is not None:
        customer = Customer.objects.filter(pk=customer_id).first()
        if customer is not None and customer.merged_into_id:
            customer = Customer.objects.filter(pk=customer.merged_into_id).first()
        if customer is None or customer.state != Customer.State.ACTIVE:
            raise Refused(_("This customer cannot be chosen any more. Search again."), field="phone")
        return customer
    if caller is None or caller.value is None:
        return None
    known = customers_with_phone(caller.value)
    if len(known) > 1 and not ask:
        return None
    if len(known) > 1:
        raise Refused(
            _("%d customers have this number. Choose the one who speaks.") % len(known), field="phone"
        )
    return known[0] if known else create_customer(provisional=True, contacts={"phone": caller.text})


def caller_of(customer: Customer | None) -> Caller | None:
    if customer is None:
        return None
    point = ContactPoint.objects.filter(customer=customer, kind=PHONE, primary=True).first()
    return Caller(text=str(point.value), value=str(point.value), masked=point.masked) if point else None
