"""Between the rule form and the rule: rows of field, operator and values, joined by AND or OR."""

import secrets
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifyhub.core.registry import SegmentField, segment_fields
from notifyhub.customers.models import Segment

# What this form can write, beside all fields with a group. Other fields and deeper trees come from the
# campaign's builder and are kept.
FIELDS = ("city", "tag", "locale", "segment")
NUMBERS = ("number", "money", "hour")
OPERATORS = {
    "in": gettext_lazy("is one of"),
    "not_in": gettext_lazy("is none of"),
    "has_any": gettext_lazy("has any of"),
    "has_all": gettext_lazy("has all of"),
    "has_none": gettext_lazy("has none of"),
    "at_least": gettext_lazy("is at least"),
    "at_most": gettext_lazy("is at most"),
    "between": gettext_lazy("is between"),
    "within_days": gettext_lazy("was in the last"),
    "not_within_days": gettext_lazy("was not in the last"),
    "before": gettext_lazy("was before"),
    "after": gettext_lazy("was after"),
}
IN_DAYS = ("within_days", "not_within_days")
MAX_ROWS = 20
MAX_SEGMENTS = 200


@dataclass(kw_only=True)
class Row:
    """One condition of the form."""

    name: str
    operator: str = ""
    values: list[str] = field(default_factory=list)
    key: str = field(default_factory=lambda: secrets.token_hex(4))

    @property
    def field(self) -> SegmentField:
        found = segment_fields.get(self.name)
        assert found is not None
        return found

    @property
    def label(self) -> Any:
        return self.field.label

    @property
    def operators(self) -> list[tuple[str, Any]]:
        return [(name, OPERATORS[name]) for name in self.field.operators]

    @property
    def chosen(self) -> str:
        """Return the operator that the form shows."""
        return self.operator if self.operator in self.field.operators else self.field.operators[0]

    @property
    def asks(self) -> str:
        """Return how the form asks for the values: numbers, date, chips or choices."""
        if self.field.kind in NUMBERS:
            return "numbers"
        if self.field.kind == "date":
            return "date"
        if self.field.kind == "event":
            return "event"
        return "chips" if self.field.kind in ("text", "set") else "choices"

    @property
    def in_days(self) -> bool:
        return self.chosen in IN_DAYS

    @property
    def is_listed(self) -> bool:
        return any(code == self.first for code, _label in self.choices)

    @property
    def first(self) -> str:
        return self.values[0] if self.values else ""

    @property
    def second(self) -> str:
        return self.values[1] if len(self.values) > 1 else ""

    @property
    def choices(self) -> list[tuple[str, str]]:
        """Return what can be picked, for the fields that have a list."""
        if self.name == "locale":
            return [(code, str(label)) for code, label in settings.LANGUAGES]
        if self.name == "segment":
            rows = Segment.objects.filter(archived_at=None)[:MAX_SEGMENTS]
            return [(str(row.pk), row.name) for row in rows]
        return [(str(code), label) for code, label in self.field.choices()] if self.field.choices else []

    @property
    def value(self) -> Any:
        """Return the values as the rule keeps them; what cannot be read stays as typed, to be refused."""
        if self.name == "segment":
            return [int(one) for one in self.values if one.isdecimal()]
        if self.asks == "numbers":
            numbers = [_number(one) for one in self.values]
            return numbers if self.operator == "between" else (numbers or [""])[0]
        if self.asks == "date":
            return _number(self.first) if self.operator in IN_DAYS else self.first
        if self.asks == "event":
            return {"event": self.first, "days": _number(self.second)}
        return self.values


def _number(text: str) -> int | float | str:
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number


def is_offered(name: str) -> bool:
    """Say whether the form can write conditions on this field."""
    found = segment_fields.get(name)
    return name in FIELDS or bool(found and found.group)


def field_groups() -> list[tuple[Any, list[tuple[str, Any]]]]:
    """Return the fields that have a group, by group, in the order in which they were registered."""
    groups: dict[str, tuple[Any, list[tuple[str, Any]]]] = {}
    for name, found in segment_fields.items():
        if found.group:
            groups.setdefault(str(found.group), (found.group, []))[1].append((name, found.label))
    return list(groups.values())


def read_rows(posted: Any) -> tuple[list[Row], str]:
    """Return the posted rows and the word between them."""
    rows = []
    for key in posted.getlist("row")[:MAX_ROWS]:
        name = posted.get(f"{key}-field", "")
        if not is_offered(name):
            continue
        row = Row(name=name, operator=posted.get(f"{key}-operator", ""))
        values = [value.replace("\x00", "").strip() for value in posted.getlist(f"{key}-value")]
        if row.asks == "chips":
            values = [part.strip() for text in values for part in text.replace("，", ",").split(",")]
        row.values = [value for value in values if value]
        if row.asks in ("chips", "choices"):
            row.values = list(dict.fromkeys(row.values))
        rows.append(row)
    return rows, "or" if posted.get("join") == "or" else "and"


def rule_of_rows(rows: list[Row], join: str) -> dict[str, Any]:
    """Return the rule that the rows say; without a row it is everybody."""
    if not rows:
        return {"all": True}
    items = [{"field": row.name, "operator": row.operator, "value": row.value} for row in rows]
    return items[0] if len(items) == 1 else {"op": join, "items": items}


def rows_of_rule(rule: dict[str, Any]) -> tuple[list[Row], str] | None:
    """Return the rows for a stored rule, or None if this form cannot show it."""
    if rule.get("all") is True or not rule:
        return [], "and"
    items = rule.get("items", []) if rule.get("op") in ("and", "or") else [rule]
    rows = []
    for item in items:
        if not isinstance(item, dict) or not is_offered(str(item.get("field"))):
            return None
        value = item.get("value")
        values = _listed(value)
        rows.append(
            Row(name=item["field"], operator=item.get("operator", ""), values=[str(v) for v in values])
        )
    return rows, rule.get("op", "and")


def _listed(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [value.get("event"), value.get("days")]
    return value if isinstance(value, list) else [value]


def in_words(rule: dict[str, Any], names: dict[int, str] | None = None) -> str:
    """Return the rule as a sentence; `names` are those of the segments it may name."""
    if not rule or rule.get("all") is True:
        return _("Everybody")
    if "op" in rule:
        parts = [in_words(item, names) for item in rule.get("items", [])]
        if rule["op"] == "not":
            return _("not (%s)") % _(" or ").join(parts)
        word = _(" and ") if rule["op"] == "and" else _(" or ")
        return word.join(f"({part})" if " (" in part else part for part in parts)
    found = segment_fields.get(str(rule.get("field")))
    values = _listed(rule.get("value"))
    if rule.get("field") == "segment" and names:
        values = [names.get(v, f"#{v}") for v in values]
    if rule.get("field") == "locale":
        values = [dict(settings.LANGUAGES).get(v, v) for v in values]
    if found and found.group and found.choices:
        labels = {str(code): label for code, label in found.choices()}
        values = [labels.get(str(v), v) for v in values]
    operator = str(rule.get("operator"))
    if found and found.kind == "event":
        name, days = values
        return f"“{name}” {OPERATORS.get(operator, operator)} {days} {_('days')}"
    said = _(", ").join(str(v) for v in values)
    if operator == "between" and len(values) == 2:
        said = _("%(low)s and %(high)s") % {"low": values[0], "high": values[1]}
    unit = _("days") if operator in IN_DAYS else found.unit if found else ""
    return "{} {} {}".format(
        found.label if found else rule.get("field"),
        OPERATORS.get(operator, operator),
        f"{said} {unit}".strip(),
    )


def segment_names(rule: Any) -> dict[int, str]:
    """Return the names of the segments that `rule` names anywhere."""
    wanted: set[int] = set()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("field") == "segment" and isinstance(node.get("value"), list):
                wanted.update(v for v in node["value"] if isinstance(v, int))
            for item in node.get("items", []) if isinstance(node.get("items"), list) else []:
                walk(item)

    walk(rule)
    if not wanted:
        return {}
    return dict(Segment.objects.filter(pk__in=wanted).values_list("pk", "name"))
