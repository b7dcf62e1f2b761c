"""What the columns of a file mean: guessed from their names, or said by hand.

A mapping is a list with one entry per column: a field, an own key behind its prefix ("attribute:level"), or
"" to leave the column out.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused

MAX_COLUMNS = 200
_DECORATION = re.compile(r"\(.*?\)|\[.*?\]|【.*?】|[\s_\-*:./]+")
_KEY = re.compile(r"[^\w\-]+")


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """The fields a row may have, what columns are called for them, and the own keys beside them.

    `own` finds the key in a column name that says plainly it is one; `as_written` takes it from the name
    before any folding. `nested` is how a field of the row names one of its own keys.
    """

    fields: Mapping[str, Any]
    synonyms: Mapping[str, str]
    prefix: str
    own: re.Pattern[str]
    own_label: Any
    key_length: int
    identifying: tuple[str, ...]
    needed: tuple[str, ...] = ()
    as_written: bool = False
    nested: str = ""

    @cached_property
    def _meanings(self) -> dict[str, str]:
        return {word: field for field, words in self.synonyms.items() for word in words.split()}

    def meaning_of(self, header: str) -> str:
        """Return the field or own key that a column of this name means; unknown names become own keys."""
        text = unicodedata.normalize("NFKC", header).strip().lstrip("\ufeff")
        own = self.own.match(header.strip() if self.as_written else text)
        if own:
            return self.prefix + own[1].strip()[: self.key_length]
        known = self._meanings.get(_DECORATION.sub("", text.lower()))
        if known:
            return known
        key = _KEY.sub("_", text).strip("_").lower()[: self.key_length]
        return self.prefix + key if key else ""

    def guess_mapping(self, header: Sequence[str]) -> list[str]:
        """Return the mapping of a header; of two columns with one meaning, the first one has it."""
        taken: set[str] = set()
        mapping = []
        for name in header:
            meaning = self.meaning_of(name)
            mapping.append("" if meaning in taken else meaning)
            taken.add(meaning)
        return mapping

    def check_mapping(self, header: Sequence[str], mapping: Sequence[str]) -> None:
        """Raise Refused if no rows could be made of this mapping."""
        check_width(header)
        if len(mapping) != len(header):
            raise Refused(_("The columns of the file have changed. Upload it again."), field="map")
        used = [field for field in mapping if field]
        for field in used:
            if not self.knows(field):
                raise Refused(_("Unknown field: %s") % field, field="map")
            if used.count(field) > 1:
                raise Refused(
                    _("Two columns are mapped to “%s”. Choose one of them.") % self.label_of(field),
                    field="map",
                )
        for needed in self.needed:
            if needed not in used:
                raise Refused(_("Map one column to “%s”.") % self.label_of(needed), field="map")
        if not set(used) & set(self.identifying):
            raise Refused(
                _("Map at least one column to customer number, phone or email: without it nobody is found."),
                field="map",
            )

    def label_of(self, field: str) -> str:
        """Return how people read a field."""
        if field.startswith(self.prefix):
            return str(self.own_label) % field.removeprefix(self.prefix)
        return str(self.fields.get(field, field.removeprefix(self.nested)))

    def knows(self, field: str) -> bool:
        """Say whether a row can have this field or own key."""
        if field.startswith(self.prefix):
            return 0 < len(field) - len(self.prefix) <= self.key_length
        return field in self.fields


def check_width(header: Sequence[str]) -> None:
    """Raise Refused if the file has too many columns."""
    if len(header) > MAX_COLUMNS:
        raise Refused(_("The file has more than %d columns.") % MAX_COLUMNS, field="file")


def map_by_hand(header: Sequence[str], mapping: list[str], choices: dict[str, str]) -> list[str]:
    """Return `mapping` with the columns in `choices` ({column name or "#3": field}) set by hand."""
    mapping = list(mapping)
    for column, field in choices.items():
        number = column[1:] if column.startswith("#") else ""
        places = [i for i, name in enumerate(header) if name == column]
        if number.isdigit() and 1 <= int(number) <= len(header):
            places = [int(number) - 1]
        if not places:
            raise Refused(_("There is no column “%s” in this file.") % column, field="map")
        field = "" if field in ("-", "ignore") else field
        for place, other in enumerate(mapping):
            if other == field:
                mapping[place] = ""
        mapping[places[0]] = field
    return mapping
