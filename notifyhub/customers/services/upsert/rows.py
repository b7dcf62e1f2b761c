"""One customer as somebody told us about them: only what was said, nothing else."""

from dataclasses import dataclass, field
from typing import Any

from notifyhub.customers.services.contacts import ContactValue


@dataclass(slots=True)
class CustomerRow:
    """What one line of a file, or one item of a request, says. None and {} mean "not said"."""

    line: int
    public_id: str | None = None
    external_id: str | None = None
    name: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    city: str | None = None
    tags: list[str] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    contacts: dict[str, ContactValue] = field(default_factory=dict)
    # Values that a later row about the same customer replaced: kept, but not as "the" phone.
    former: list[ContactValue] = field(default_factory=list)
    provisional: bool = False

    def followed_by(self, later: "CustomerRow") -> "CustomerRow":
        """Return both rows as one; what `later`, about the same customer, does not say is taken from here."""
        replaced = [
            before
            for kind, before in self.contacts.items()
            if kind in later.contacts and later.contacts[kind].value_hash != before.value_hash
        ]
        said = {
            name: getattr(self if getattr(later, name) is None else later, name)
            for name in ("public_id", "external_id", "name", "locale", "time_zone", "city")
        }
        return CustomerRow(
            line=later.line,
            tags=list(dict.fromkeys([*self.tags, *later.tags])),
            attributes={**self.attributes, **later.attributes},
            contacts={**self.contacts, **later.contacts},
            former=[*self.former, *replaced, *later.former],
            provisional=self.provisional and later.provisional,
            **said,
        )

    def former_contacts(self) -> list[ContactValue]:
        """Return the replaced values, each once, without the ones that came back."""
        now = {(kind, contact.value_hash) for kind, contact in self.contacts.items()}
        once = {(old.kind, old.value_hash): old for old in self.former}
        return [old for key, old in once.items() if key not in now]


@dataclass(frozen=True, slots=True)
class RowProblem:
    """Why a row was not taken: the line, the column, the masked value, and the reason as a code."""

    line: int
    code: str
    column: str = ""
    value: str = ""
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kept:
    """Which customer a row became: `fresh` if it was created by it."""

    line: int
    customer_id: int
    fresh: bool
