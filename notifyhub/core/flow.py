"""Allowed moves of a status as data, and the one guarded UPDATE that makes a move."""

from collections.abc import Mapping
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)


class Flow:
    """A table of allowed moves: from each state to the set of states that may follow."""

    def __init__(self, moves: Mapping[Any, frozenset[Any]], *, field: str = "state") -> None:
        self.moves = moves
        self.field = field

    def allows(self, source: Any, to: Any) -> bool:
        """Say whether a row in `source` may go to `to`."""
        return to in self.moves.get(source, frozenset())

    def sources_of(self, to: Any) -> list[Any]:
        """Return the states from which `to` may be reached."""
        return [source for source, targets in self.moves.items() if to in targets]

    def advance(self, rows: QuerySet[M], *, to: Any, **changes: Any) -> int:
        """Move the rows that may go to `to`; return how many did.

        One UPDATE decides: of two callers at once, one moves the row and the other gets 0.
        """
        return rows.filter(**{f"{self.field}__in": self.sources_of(to)}).update(**{self.field: to}, **changes)
