"""Customers who are probably one person: they share a phone, a mailbox or a chat account."""

from dataclasses import dataclass, field

from django.db import connection
from django.db.models import Prefetch, QuerySet

from notifyhub.customers.models import ContactPoint, Customer
from notifyhub.customers.services.limits import time_limit

# Hashes that occur twice, in the order of their index, so that a page of them reads no further.
# `value_hash` differs by kind, so equal hashes are of one kind.
SHARED = """
WITH shared AS (
    SELECT value_hash FROM customers_contactpoint
    WHERE value_hash > %(after)s
    GROUP BY value_hash HAVING count(*) > 1
    ORDER BY value_hash LIMIT %(limit)s
)
SELECT s.value_hash, min(p.kind), min(p.masked),
    array_agg(DISTINCT c.id ORDER BY c.id) FILTER (WHERE c.id IS NOT NULL)
FROM shared s
JOIN customers_contactpoint p ON p.value_hash = s.value_hash
LEFT JOIN customers_customer c ON c.id = p.customer_id AND c.state = 'active'
GROUP BY s.value_hash ORDER BY s.value_hash
"""
PAGE = 25
LOOK_AHEAD = 200
SHOWN_IN_GROUP = 6


@dataclass(frozen=True, kw_only=True)
class DuplicateGroup:
    """Customers who share one contact point."""

    kind: str
    masked: str
    customers: list[Customer] = field(default_factory=list)
    total: int = 0


@dataclass(frozen=True, kw_only=True)
class DuplicatePage:
    """Some groups, and the key after which the next ones start ("" at the end)."""

    groups: list[DuplicateGroup]
    after: str = ""


def likely_duplicates(*, after: str = "", limit: int = PAGE) -> DuplicatePage:
    """Return groups of active customers who share a contact point, from the key `after` on.

    Raises Refused when the look-up takes longer than its limit.
    """
    try:
        key = bytes.fromhex(after)
    except ValueError:
        key = b""
    with time_limit(seconds=5), connection.cursor() as cursor:
        cursor.execute(SHARED, {"after": key, "limit": LOOK_AHEAD})
        rows = cursor.fetchall()
    found: list[tuple[str, str, list[int]]] = []
    next_key = bytes(rows[-1][0]).hex() if len(rows) == LOOK_AHEAD else ""
    for value_hash, kind, masked, ids in rows:
        if len(found) == limit:
            break
        if ids and len(ids) > 1:
            found.append((kind, masked, ids))
            if len(found) == limit and value_hash != rows[-1][0]:
                next_key = bytes(value_hash).hex()
    return DuplicatePage(groups=_groups(found), after=next_key)


def duplicates_of(*, customer_id: int, limit: int = SHOWN_IN_GROUP) -> list[Customer]:
    """Return active customers who share a contact point with this one."""
    shared = ContactPoint.objects.filter(
        value_hash__in=ContactPoint.objects.filter(customer_id=customer_id).values("value_hash")
    ).exclude(customer_id=customer_id)
    return list(
        with_contacts(Customer.objects.filter(pk__in=shared.values("customer_id"), state="active"))[:limit]
    )


def with_contacts(rows: QuerySet[Customer]) -> QuerySet[Customer]:
    """Return `rows` with their masked contact points at hand."""
    return rows.prefetch_related(Prefetch("contact_points", queryset=ContactPoint.objects.masked()))


def _groups(found: list[tuple[str, str, list[int]]]) -> list[DuplicateGroup]:
    wanted = {pk for _kind, _masked, ids in found for pk in ids[:SHOWN_IN_GROUP]}
    by_id = with_contacts(Customer.objects.all()).in_bulk(wanted)
    return [
        DuplicateGroup(
            kind=str(ContactPoint.Kind(kind).label),
            masked=masked,
            customers=[by_id[pk] for pk in ids[:SHOWN_IN_GROUP] if pk in by_id],
            total=len(ids),
        )
        for kind, masked, ids in found
    ]
