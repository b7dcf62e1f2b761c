"""Whose events they are: by number, phone or email, else by another id that the customer was bound to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import connection

from notifyhub.core import crypto
from notifyhub.customers.models import EventPolicy
from notifyhub.customers.services.upsert import CustomerRow, RowProblem, match_customers, upsert_customers

_FIND = """
SELECT a.value_hash, coalesce(c.merged_into_id, c.id)
FROM unnest(%s::bytea[]) AS k (value_hash)
JOIN customers_alias a ON a.value_hash = k.value_hash JOIN customers_customer c ON c.id = a.customer_id
WHERE c.state <> 'erased'
"""
# The last one to say who they are on a device has it from then on.
_BIND = """
INSERT INTO customers_alias AS own (value_hash, customer_id, source, bound_at)
SELECT value_hash, customer_id, %s, now()
FROM unnest(%s::bytea[], %s::bigint[]) AS u (value_hash, customer_id)
ORDER BY value_hash
ON CONFLICT (value_hash) DO UPDATE SET customer_id = excluded.customer_id, source = excluded.source,
    bound_at = now() WHERE own.customer_id <> excluded.customer_id
RETURNING value_hash
"""


@dataclass(slots=True)
class Person:
    """Who an event is about, as it was told; `line` is the place of the event in its batch."""

    row: CustomerRow
    anonymous_id: str = ""

    @property
    def named(self) -> bool:
        """Whether a customer can be made of it."""
        return bool(self.row.external_id or self.row.contacts)


@dataclass(slots=True)
class Found:
    """Customers by line; the lines refused; the lines of nobody we know."""

    customers: dict[int, int] = field(default_factory=dict)
    problems: dict[int, RowProblem] = field(default_factory=dict)
    unknown: list[Person] = field(default_factory=list)
    created: int = 0


def id_hash(value: str) -> bytes:
    """Return the look-up hash of an id that a platform or a device uses."""
    return crypto.blind_index(value, purpose="event.id")


def current_policy() -> EventPolicy:
    """Return what becomes of events of unknown customers; the defaults until somebody decides."""
    return EventPolicy.objects.filter(pk=1).first() or EventPolicy(pk=1)


def creates_unknown() -> bool:
    """Say whether the house makes customers of people it does not know."""
    return current_policy().unknown == EventPolicy.Unknown.CREATE


def bind_aliases(*, pairs: Iterable[tuple[str, int]], source: str) -> list[bytes]:
    """Let each id of the (id, customer) `pairs` mean that customer; return the hashes that are new."""
    bound = {id_hash(value): customer_id for value, customer_id in pairs if value}
    if not bound:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_BIND, [source[:40], list(bound), list(bound.values())])
        return [bytes(row[0]) for row in cursor.fetchall()]


def find_people(people: Sequence[Person], *, create: bool | None = None) -> Found:
    """Return the customers of `people`, creating the unknown if `create` says so (None: as the policy says).

    At most eight queries, whatever the number; who has nothing but an anonymous id is never created.
    """
    found = Found()
    named = [person for person in people if person.named]
    if named:
        outcome = match_customers(rows=[person.row for person in named])
        found.customers = {kept.line: kept.customer_id for kept in outcome.kept}
        found.problems = {problem.line: problem for problem in outcome.problems}
    missing = [p for p in people if p.row.line not in found.customers and p.row.line not in found.problems]
    if missing:
        missing = _by_alias(missing, found)
    makeable = [person for person in missing if person.named]
    if makeable and (creates_unknown() if create is None else create):
        outcome = upsert_customers(rows=[person.row for person in makeable])
        found.created = outcome.created
        found.customers |= {kept.line: kept.customer_id for kept in outcome.kept}
        found.problems |= {problem.line: problem for problem in outcome.problems}
        missing = [person for person in missing if not person.named]
    found.unknown = missing
    return found


def _by_alias(people: list[Person], found: Found) -> list[Person]:
    """Give those a customer whose number or anonymous id was bound to one; return the rest."""
    hashes = {p.row.line: [id_hash(v) for v in (p.row.external_id, p.anonymous_id) if v] for p in people}
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [list({one for found in hashes.values() for one in found})])
        bound = {bytes(value): customer_id for value, customer_id in cursor.fetchall()}
    rest = []
    for person in people:
        customer_id = next((bound[one] for one in hashes[person.row.line] if one in bound), None)
        if customer_id is None:
            rest.append(person)
        else:
            found.customers[person.row.line] = customer_id
    return rest
