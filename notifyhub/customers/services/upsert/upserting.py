"""The set-wise upsert itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from django.conf import settings
from django.db import IntegrityError, OperationalError, connection, transaction

from notifyhub.core import crypto
from notifyhub.customers.models import Customer
from notifyhub.customers.services.contacts import ContactValue
from notifyhub.customers.services.upsert import sql
from notifyhub.customers.services.upsert.matching import Target, find_targets
from notifyhub.customers.services.upsert.rows import CustomerRow, Kept, RowProblem
from notifyhub.customers.services.upsert.staging import (
    CONTACTS,
    PEOPLE,
    TAG_GLUE,
    Source,
    as_json,
    stage,
)
from notifyhub.customers.signals import customers_upserted

T = TypeVar("T")
ATTEMPTS = 3


@dataclass(slots=True)
class Outcome:
    """What became of the rows: counts of customers, the refused rows, the repeats, who is who."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    problems: list[RowProblem] = field(default_factory=list)
    repeats: list[tuple[int, int]] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    changed: set[int] = field(default_factory=set)


def upsert_customers(
    *, rows: Sequence[CustomerRow], then: Callable[[Outcome, Source], None] | None = None
) -> Outcome:
    """Create or change the customers `rows` are about, in one transaction; return what became of them.

    What a row does not say stays; a phone or email that was replaced stays as a former one; the version
    moves only where something changed. `then` runs in the same transaction, with the outcome and a source
    of the rows for SQL. The number of queries does not depend on the number of rows.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic():
                outcome = _upsert(rows, then)
        except (IntegrityError, OperationalError) as error:
            # Another process took the same customer number, or a deadlock was broken, between our look and
            # our write: look again. Inside a caller's transaction only the savepoint is rolled back.
            if attempt == ATTEMPTS or not _worth_another_try(error):
                raise
            continue
        if outcome.changed:
            told = partial(customers_upserted.send_robust, sender=Customer, ids=sorted(outcome.changed))
            transaction.on_commit(told)
        return outcome
    raise AssertionError("unreachable")


def match_customers(*, rows: Sequence[CustomerRow]) -> Outcome:
    """Return what `upsert_customers` would do, writing nothing; `kept` names the known customers only."""
    targets, problems, repeats = find_targets(rows)
    fresh = sum(target.id is None for target in targets)
    kept = [
        Kept(line=line, customer_id=target.id, fresh=False)
        for target in targets
        if target.id
        for line in target.lines
    ]
    known = len(targets) - fresh
    return Outcome(created=fresh, updated=known, problems=problems, repeats=repeats, kept=kept)


def _worth_another_try(error: Exception) -> bool:
    state = getattr(error.__cause__, "sqlstate", "")
    return state in ("23505", "40P01", "40001")


def _upsert(rows: Sequence[CustomerRow], then: Callable[[Outcome, Source], None] | None) -> Outcome:
    with connection.cursor() as cursor:
        cursor.execute(sql.PLAN_BY_INDEX)
        if len(rows) > 1:
            cursor.execute(sql.LOCK)
    targets, problems, repeats = find_targets(rows)
    fresh = [target for target in targets if target.id is None]
    if fresh and len(rows) == 1:
        # Two requests about one unknown person must not create two: look again under the lock.
        with connection.cursor() as cursor:
            cursor.execute(sql.LOCK)
        targets, problems, repeats = find_targets(rows)
        fresh = [target for target in targets if target.id is None]
    outcome = Outcome(created=len(fresh), problems=problems, repeats=repeats)
    if not targets:
        return outcome
    created = _number(fresh)
    outcome.kept = [
        Kept(line=line, customer_id=target.id, fresh=target.id in created)
        for target in targets
        if target.id
        for line in target.lines
    ]
    people = stage("nh_people", PEOPLE, [_person(target, created) for target in targets])
    contacts = stage("nh_contacts", CONTACTS, _contacts(targets))
    outcome.changed = _write(people, contacts, bool(fresh), len(targets) > len(fresh))
    outcome.updated = len(outcome.changed - created)
    outcome.unchanged = len(targets) - len(fresh) - outcome.updated
    outcome.changed |= created
    if then is not None:
        then(outcome, people)
    with connection.cursor() as cursor:
        cursor.execute(sql.PLAN_FREELY)
    return outcome


def _number(fresh: list[Target]) -> set[int]:
    """Give the new customers their ids; return them."""
    if not fresh:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(sql.NUMBERS, [len(fresh)])
        for target, (number,) in zip(fresh, cursor.fetchall(), strict=True):
            target.id = number
    return {target.id for target in fresh if target.id}


def _person(target: Target, created: set[int]) -> tuple:
    row = target.row
    assert row is not None
    assert target.id is not None
    return (
        target.id,
        row.line,
        target.id in created,
        row.external_id,
        row.name,
        row.locale,
        row.time_zone,
        row.city,
        TAG_GLUE.join(row.tags) or None,
        as_json(row.attributes),
        row.provisional,
    )


def _contacts(targets: list[Target]) -> list[tuple]:
    records = []
    for target in targets:
        row = target.row
        assert row is not None
        records += [_contact(target.id, contact, True) for contact in row.contacts.values()]
        records += [_contact(target.id, contact, False) for contact in row.former_contacts()]
    return records


def _contact(customer_id: int | None, contact: ContactValue, primary: bool) -> tuple:
    return (
        customer_id,
        contact.kind,
        crypto.encrypt(contact.value),
        contact.value_hash,
        contact.last7_hash,
        contact.last4,
        contact.masked,
        primary,
    )


def _write(people: Source, contacts: Source, some_fresh: bool, some_known: bool) -> set[int]:
    """Write customers and contact points; return the ids of known customers that changed."""
    touched: set[int] = set()
    defaults = [Customer._meta.get_field("locale").default, settings.TIME_ZONE]
    with connection.cursor() as cursor:
        if some_fresh:
            cursor.execute(sql.CREATE.format(people=people.sql), [*defaults, *people.params])
        if some_known:
            cursor.execute(sql.DEMOTE.format(contacts=contacts.sql), contacts.params)
            touched.update(number for (number,) in cursor.fetchall())
        cursor.execute(
            sql.CONTACTS.format(contacts=contacts.sql), [crypto.current_key_id(), *contacts.params]
        )
        touched.update(number for (number,) in cursor.fetchall())
        if not some_known:
            return set()
        cursor.execute(sql.CHANGE.format(people=people.sql), [*people.params, list(touched)])
        return {number for (number,) in cursor.fetchall()}
