"""Finding cases by what a caller or a colleague says: number, phone, last four, order, name, words."""

import unicodedata
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from feedback.models import Case
from feedback.models.querysets import CaseQuerySet
from feedback.services.numbers import read_number
from notifyhub.core.contact import digits_of, normalise_phone
from notifyhub.customers.models import ContactPoint, Customer
from notifyhub.customers.services.contacts import last7_hash, value_hash
from notifyhub.staff.models import User

# Words are looked for in what is recent: an unbounded LIKE over all cases ever is what other desks die of.
WORDS_WITHIN = timedelta(days=90)


def search_cases(*, text: str, user: User) -> CaseQuerySet:
    """Return the cases that `user` may see and `text` names, unordered; each way of asking has its index."""
    text = unicodedata.normalize("NFKC", text or "").replace("\x00", "").strip()[:100]
    rows = Case.objects.visible_to(user)
    if len(text) < 2:
        return rows.none()
    number = read_number(text)
    if number:
        return rows.filter(number=number)
    digits = digits_of(text)
    bare = bool(digits) and all(c.isdigit() or c in " -+()*./" for c in text)
    wanted = Q(order_number=text)
    if bare and len(digits) == 4:
        wanted |= Q(contact_last4=digits) | _customers(Q(last4=digits))
    elif bare and len(digits) == 7:
        seven = last7_hash(digits)
        wanted |= Q(contact_last7_hash=seven) | _customers(Q(last7_hash=seven))
    elif bare and (phone := normalise_phone(text)):
        full = value_hash(kind="phone", value=phone)
        wanted |= Q(contact_hash=full) | _customers(Q(value_hash=full))
    elif not bare:
        named = Customer.objects.filter(name__startswith=text).values("pk")[:200]
        since = timezone.now() - WORDS_WITHIN
        wanted |= Q(customer_id__in=list(named.values_list("pk", flat=True)))
        wanted |= Q(summary__icontains=text, created_at__gte=since)
    return rows.filter(wanted)


def _customers(condition: Q) -> Q:
    found = ContactPoint.objects.filter(condition).values_list("customer_id", flat=True)[:200]
    return Q(customer_id__in=list(found))
