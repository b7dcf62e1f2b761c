"""Between the rule form and the rule: rows of field, operator and values, joined by AND or OR."""

import secrets
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifyhub.core.registry import segment_fields
from notifyhub.customers.models import Segment

# What this form can write. Other fields and deeper trees come from the campaign's builder and are kept.
FIELDS = ("city", "tag", "locale", "segment")
OPERATORS = {
    "in": gettext_lazy("is one of"),
    "not_in": gettext_lazy("is none of"),
    "has_any": gettext_lazy("has any of"),
    "has_all": gettext_lazy("has all of"),
    "has_none": gettext_lazy("has none of"),
}
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
    def label(self) -> Any:
        return segment_fields.get(self.name).label  # type: ignore[union-attr]

    @property
    def operators(self) -> list[tuple[str, Any]]:
        return [(name, OPERATORS[name]) for name in segment_fields.get(self.name).operators]  # type: ignore[union-attr]

    @property
    def choices(self) -> list[tuple[str, str]]:
        """Return what can be picked, for the fields that have a list."""
        if self.name == "locale":
            return [(code, str(label)) for code, label in settings.LANGUAGES]
        if self.name == "segment":
            rows = Segment.objects.filter(archived_at=None)[:MAX_SEGMENTS]
            return [(str(row.pk), row.name) for row in rows]
        return []


def read_rows(posted: Any) -> tuple[list[Row], str]:
    """Return the posted rows and the word between them."""
    rows = []
    for key in posted.getlist("row")[:MAX_ROWS]:
        name = posted.get(f"{key}-field", "")
        if name not in FIELDS:
            continue
        values = [value.replace("\x00", "").strip() for value in posted.getlist(f"{key}-value")]
        if name in ("city", "tag"):
            values = [part.strip() for text in values for part in text.replace("，", ",").split(",")]
        rows.append(
            Row(
                name=name,
                operator=posted.get(f"{key}-operator", ""),
                values=list(dict.fromkeys(value for value in values if value)),
            )
        )
    return rows, "or" if posted.get("join") == "or" else "and"


def rule_of_rows(rows: list[Row], join: str) -> dict[str, Any]:
    """Return the rule that the rows say; without a row it is everybody."""
    if not rows:
        return {"all": True}
    items = [
        {
            "field": row.name,
            "operator": row.operator,
            "value": [int(v) for v in row.values if v.isdecimal()] if row.name == "segment" else row.values,
        }
        for row in rows
    ]
    return items[0] if len(items) == 1 else {"op": join, "items": items}


def rows_of_rule(rule: dict[str, Any]) -> tuple[list[Row], str] | None:
    """Return the rows for a stored rule, or None if this form cannot show it."""
    if rule.get("all") is True or not rule:
        return [], "and"
    items = rule.get("items", []) if rule.get("op") in ("and", "or") else [rule]
    rows = []
    for item in items:
        if not isinstance(item, dict) or item.get("field") not in FIELDS:
            return None
        value = item.get("value")
        values = value if isinstance(value, list) else [value]
        rows.append(
            Row(name=item["field"], operator=item.get("operator", ""), values=[str(v) for v in values])
        )
    return rows, rule.get("op", "and")


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
    value = rule.get("value")
    values: list[Any] = value if isinstance(value, list) else [value]
    if rule.get("field") == "segment" and names:
        values = [names.get(v, f"#{v}") for v in values]
    if rule.get("field") == "locale":
        values = [dict(settings.LANGUAGES).get(v, v) for v in values]
    return "{} {} {}".format(
        found.label if found else rule.get("field"),
        OPERATORS.get(str(rule.get("operator")), rule.get("operator")),
        _(", ").join(str(v) for v in values),
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
