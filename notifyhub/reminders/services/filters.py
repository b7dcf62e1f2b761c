"""Conditions on the properties of an event, compiled to SQL; what staff type travels as a parameter only."""

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifyhub.core.errors import Refused

# What a property says as text, and as a number; NULL if it is none.
_TEXT = "(e.properties ->> %s)"
_NUMBER = (
    "(CASE WHEN e.properties ->> %s ~ '^[+-]?[0-9]{1,15}([.][0-9]{1,9})?$' "
    "THEN (e.properties ->> %s)::numeric END)"
)

MAX_FILTERS = 10
MAX_VALUES = 100
OPERATORS: dict[str, Any] = {
    "equals": gettext_lazy("is"),
    "not_equals": gettext_lazy("is not"),
    "at_least": gettext_lazy("is at least"),
    "at_most": gettext_lazy("is at most"),
    "contains": gettext_lazy("contains"),
    "exists": gettext_lazy("is there"),
    "one_of": gettext_lazy("is one of"),
}


def _text_of(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float | Decimal) and len(str(value)) <= 200:
        return str(value)
    raise Refused(_("Give a value of at most %d characters.") % 200)


def _number_of(value: Any) -> Decimal:
    try:
        if isinstance(value, bool):
            raise InvalidOperation
        number = Decimal(str(value))
        if not number.is_finite() or abs(number) >= Decimal("1e15"):
            raise InvalidOperation
    except InvalidOperation as error:
        raise Refused(_("Give a number.")) from error
    return number


def _equals(name: str, value: Any) -> tuple[str, list[Any]]:
    try:
        number = _number_of(value)
    except Refused:
        return f"coalesce({_TEXT} = %s, false)", [name, _text_of(value)]
    # 100 and 100.0 are the same amount however the platform writes it.
    sql = f"coalesce({_TEXT} = %s, false) OR coalesce({_NUMBER} = %s, false)"
    return f"({sql})", [name, _text_of(value), name, name, number]


def _bound(sign: str) -> Callable[[str, Any], tuple[str, list[Any]]]:
    def build(name: str, value: Any) -> tuple[str, list[Any]]:
        return f"coalesce({_NUMBER} {sign} %s, false)", [name, name, _number_of(value)]

    return build


def _not_equals(name: str, value: Any) -> tuple[str, list[Any]]:
    sql, params = _equals(name, value)
    return f"NOT {sql}", params


def _contains(name: str, value: Any) -> tuple[str, list[Any]]:
    text = _text_of(value)
    if not text:
        raise Refused(_("Say what it contains."))
    # A list contains its members, a text its parts; capital letters do not matter.
    sql = (
        "(CASE jsonb_typeof(e.properties -> %s) WHEN 'array' THEN (e.properties -> %s) ? %s "
        f"ELSE position(lower(%s) in lower(coalesce({_TEXT}, ''))) > 0 END)"
    )
    return sql, [name, name, text, text, name]


def _exists(name: str, value: Any) -> tuple[str, list[Any]]:
    sql = "(jsonb_typeof(e.properties -> %s) IS NOT NULL AND jsonb_typeof(e.properties -> %s) <> 'null')"
    return (sql if value in (None, True, "", "true") else f"NOT {sql}"), [name, name]


def _one_of(name: str, value: Any) -> tuple[str, list[Any]]:
    values = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
    if not isinstance(values, list) or not 0 < len(values) <= MAX_VALUES:
        raise Refused(_("Give 1 to %d values.") % MAX_VALUES)
    return f"coalesce({_TEXT} = ANY(%s::text[]), false)", [name, [_text_of(one) for one in values]]


_BUILDERS: dict[str, Callable[[str, Any], tuple[str, list[Any]]]] = {
    "equals": _equals,
    "not_equals": _not_equals,
    "at_least": _bound(">="),
    "at_most": _bound("<="),
    "contains": _contains,
    "exists": _exists,
    "one_of": _one_of,
}


def check_filters(filters: Any) -> None:
    """Raise Refused, naming the filter by its place, unless each can be compiled."""
    compile_filters(filters)


def compile_filters(filters: Sequence[dict[str, Any]]) -> tuple[str, list[Any]]:
    """Return (sql, params) over the alias e of customers_event: true when every filter holds."""
    if not isinstance(filters, list) or len(filters) > MAX_FILTERS:
        raise Refused(_("Use at most %d conditions.") % MAX_FILTERS, field="event_filters")
    parts: list[str] = []
    params: list[Any] = []
    for place, one in enumerate(filters):
        field = f"event_filters.{place}"
        if not isinstance(one, dict) or set(one) - {"property", "operator", "value"}:
            raise Refused(_("A condition has a property, an operator and a value."), field=field)
        name, operator = one.get("property"), one.get("operator")
        if not isinstance(name, str) or not name or len(name) > 60 or not name.isprintable():
            raise Refused(_("Name the property of the event."), field=f"{field}.property")
        if operator not in _BUILDERS:
            raise Refused(_("Choose one of the list."), field=f"{field}.operator")
        try:
            sql, values = _BUILDERS[operator](name, one.get("value"))
        except Refused as refusal:
            raise Refused(refusal.message, field=f"{field}.value") from refusal
        parts.append(f"({sql})")
        params += values
    return " AND ".join(parts) or "true", params
