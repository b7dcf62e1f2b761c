"""Finding customers by whatever a caller says: number, phone, email, order, name."""

import unicodedata
from typing import Any

from django.db.models import Prefetch, Q

from notifyhub.core.contact import digits_of, normalise_email, normalise_phone
from notifyhub.customers.models import ContactPoint, Customer, Order
from notifyhub.customers.services.contacts import last7_hash, value_hash

MAX_TEXT = 200
# A merge chain is followed this far; each link was made by a person, so it is short.
MAX_CHAIN = 5


def find_customers(*, text: str, limit: int = 20) -> list[Customer]:
    """Return at most `limit` customers, the surest match first; merged rows give the one they went into.

    Each way of asking has its index. The contact points come with the customers, masked only.
    """
    text = unicodedata.normalize("NFKC", text or "").replace("\x00", "").strip()[:MAX_TEXT]
    if not text:
        return []
    found: list[int] = list(Customer.objects.filter(external_id=text).values_list("pk", flat=True))
    found += Order.objects.filter(number=text).values_list("customer_id", flat=True)
    found += _by_contact(text, limit)
    if len(found) < limit:
        found += (
            Customer.objects.filter(name__startswith=text).order_by().values_list("pk", flat=True)[:limit]
        )
    return _load(list(dict.fromkeys(found))[: limit * 2])[:limit]


def is_exact(*, text: str) -> bool:
    """Say whether `text` names one person or household (a whole number or mailbox), not a group."""
    return bool(normalise_email(text)) or (len(digits_of(text)) > 7 and bool(normalise_phone(text)))


def _by_contact(text: str, limit: int) -> list[int]:
    match = Q()
    if "@" in text:
        email = normalise_email(text)
        if email:
            match |= Q(value_hash=value_hash(kind="email", value=email))
    else:
        phone = normalise_phone(text)
        if phone:
            match |= Q(value_hash=value_hash(kind="phone", value=phone))
        digits = digits_of(text)
        # "C26" or "Room 1204" are not the end of a number.
        bare = all(c.isdigit() or c in " -+()*./" for c in text)
        if bare and len(digits) == 7:
            match |= Q(last7_hash=last7_hash(digits))
        if bare and len(digits) == 4:
            match |= Q(last4=digits)
    if not match:
        return []
    rows = ContactPoint.objects.filter(match).order_by("-primary", "-id")
    return list(rows.values_list("customer_id", flat=True)[: limit * 2])


def _load(ids: list[int]) -> list[Customer]:
    for _step in range(MAX_CHAIN):
        onward: dict[int, Any] = dict(
            Customer.objects.filter(pk__in=ids, merged_into__isnull=False).values_list("pk", "merged_into")
        )
        if not onward:
            break
        ids = list(dict.fromkeys(onward.get(pk, pk) for pk in ids))
    rows = Customer.objects.filter(pk__in=ids, state=Customer.State.ACTIVE).prefetch_related(
        Prefetch("contact_points", queryset=ContactPoint.objects.masked())
    )
    by_id = rows.in_bulk()
    return [by_id[pk] for pk in ids if pk in by_id]
