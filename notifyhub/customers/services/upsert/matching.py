"""Which customer a row is about.

By public id, else by customer number, else by phone, else by email. A row with a customer number that is
not known yet may take over a customer found by phone or email only if that one has no number: two numbers
are two customers, even if a family shares one phone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import connection

from notifyhub.customers.models import Customer
from notifyhub.customers.services.upsert.rows import CustomerRow, RowProblem

# Other kinds (openids, tokens) are stored, but do not identify: they are shared by devices and families.
IDENTIFYING = ("phone", "email")
State = Customer.State


@dataclass(slots=True, eq=False)
class Target:
    """A customer that rows of this chunk are about; `id` is None until a new one gets its number."""

    id: int | None = None
    external_id: str | None = None
    state: str = State.ACTIVE
    merged_into: int | None = None
    row: CustomerRow | None = None
    lines: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Index:
    """Targets by each of their keys, those of the database and those of earlier rows alike."""

    by_id: dict[int, Target] = field(default_factory=dict)
    by_public: dict[str, Target] = field(default_factory=dict)
    by_number: dict[str, Target] = field(default_factory=dict)
    by_contact: dict[tuple[str, bytes], list[Target]] = field(default_factory=dict)

    def keep(self, record: tuple) -> Target:
        found = self.by_id.get(record[0])
        if found is None:
            found = self.by_id[record[0]] = Target(*record)
        return found

    def follow(self, target: Target) -> Target:
        """Return the customer that `target` was merged into, at last."""
        while target.state == State.MERGED and target.merged_into is not None:
            target = self.by_id[target.merged_into]
        return target

    def find(self, row: CustomerRow) -> Target | RowProblem | None:
        named = self.by_public.get(row.public_id) if row.public_id else None
        numbered = self.by_number.get(row.external_id) if row.external_id else None
        named, numbered = (self.follow(found) if found else None for found in (named, numbered))
        target = named or numbered
        if target is None:
            return self._by_contact(row)
        clash = named is not None and row.external_id and named.external_id not in (None, row.external_id)
        if (named and numbered and named is not numbered) or (clash and named is not numbered):
            return RowProblem(line=row.line, code="other_number", column="external_id")
        if target.state == State.ERASED:
            return RowProblem(line=row.line, code="erased", column="external_id")
        return target

    def _by_contact(self, row: CustomerRow) -> Target | None:
        for kind in IDENTIFYING:
            contact = row.contacts.get(kind)
            if contact is None:
                continue
            for target in self.by_contact.get((kind, contact.value_hash), ()):
                if row.external_id is None or target.external_id is None:
                    return target
        return None

    def learn(self, target: Target, row: CustomerRow) -> None:
        """Let later rows find `target` by the keys of `row`."""
        if row.external_id:
            target.external_id = target.external_id or row.external_id
            self.by_number.setdefault(row.external_id, target)
        for kind in IDENTIFYING:
            contact = row.contacts.get(kind)
            if contact is not None:
                known = self.by_contact.setdefault((kind, contact.value_hash), [])
                if target not in known:
                    known.append(target)


def find_targets(rows: Sequence[CustomerRow]) -> tuple[list[Target], list[RowProblem], list[tuple[int, int]]]:
    """Return the customers `rows` are about with their rows folded in, the refused rows, and the repeats.

    A repeat is (line that was replaced, line that replaced it). At most five queries, whatever the number.
    """
    index = _load(rows)
    targets: dict[int, Target] = {}
    problems: list[RowProblem] = []
    repeats: list[tuple[int, int]] = []
    for row in rows:
        found = index.find(row)
        if isinstance(found, RowProblem):
            problems.append(found)
            continue
        target = found or Target()
        if target.row is None:
            target.row = row
            targets[id(target)] = target
        else:
            repeats.append((target.row.line, row.line))
            target.row = target.row.followed_by(row)
        target.lines.append(row.line)
        index.learn(target, row)
    return list(targets.values()), problems, repeats


def _load(rows: Sequence[CustomerRow]) -> _Index:
    index = _Index()
    with connection.cursor() as cursor:
        _load_keys(cursor, index.by_public, index, "public_id", "uuid", {r.public_id for r in rows})
        _load_keys(cursor, index.by_number, index, "external_id", "text", {r.external_id for r in rows})
        lost = {t.merged_into for t in index.by_id.values() if t.merged_into} - set(index.by_id)
        while lost:
            cursor.execute(
                "SELECT id, external_id, state, merged_into_id FROM customers_customer WHERE id = ANY(%s)",
                [list(lost)],
            )
            kept = [index.keep(record) for record in cursor.fetchall()]
            lost = {t.merged_into for t in kept if t.merged_into} - set(index.by_id)
        unknown = [
            row
            for row in rows
            if row.external_id not in index.by_number and row.public_id not in index.by_public
        ]
        for kind in IDENTIFYING:
            hashes = {row.contacts[kind].value_hash for row in unknown if kind in row.contacts}
            if hashes:
                _load_contacts(cursor, index, kind, hashes)
    return index


def _load_keys(
    cursor, found: dict[str, Target], index: _Index, column: str, cast: str, keys: Iterable[str | None]
) -> None:
    wanted = [key for key in keys if key]
    if wanted:
        cursor.execute(
            f"SELECT c.id, c.external_id, c.state, c.merged_into_id, c.{column}::text "
            f"FROM unnest(%s::{cast}[]) AS k (key) JOIN customers_customer c ON c.{column} = k.key",
            [wanted],
        )
        for *record, key in cursor.fetchall():
            found[key] = index.keep(tuple(record))


def _load_contacts(cursor, index: _Index, kind: str, hashes: set[bytes]) -> None:
    # The customer whose phone it is now goes before one who had it once, then the older row. A join, since
    # the planner weighs each of thousands of constants in `= ANY`.
    cursor.execute(
        "SELECT c.id, c.external_id, c.state, c.merged_into_id, p.value_hash "
        "FROM unnest(%s::bytea[]) AS k (hash) "
        "JOIN customers_contactpoint p ON p.value_hash = k.hash AND p.kind = %s "
        "JOIN customers_customer c ON c.id = p.customer_id "
        "WHERE c.state = 'active' "
        'ORDER BY p."primary" DESC, c.id',
        [list(hashes), kind],
    )
    for *record, value_hash in cursor.fetchall():
        index.by_contact.setdefault((kind, bytes(value_hash)), []).append(index.keep(tuple(record)))
