"""What other apps may add to reminders: conditions under which a step is left out.

`skip_conditions`: by kind, as a version names it in `skips` ({"kind": "event_within", "name": …}). `fields`
are the parameters that the rule's page asks for. `compile(params)` returns (sql, params): a boolean
expression, with %s for each parameter, over the aliases r (the due row), o (its occasion), v (the version),
c (the customer) and ord (the order, may be null). It raises Refused, naming the field, for parameters that
make no sense, and is asked once for each step that is handed over, so it should be an indexed look-up.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from notifyhub.core.registry import Registry
from notifyhub.customers.words import event_words


@dataclass(frozen=True, kw_only=True)
class SkipField:
    """One parameter of a condition: `kind` is text, event (the name of one), number or choice."""

    name: str
    label: Any
    kind: str = "text"
    default: Any = None
    choices: Callable[[], Sequence[tuple[Any, Any]]] | None = None


@dataclass(frozen=True, kw_only=True)
class SkipCondition:
    """One kind of condition, as the rule's page offers it."""

    label: Any
    compile: Callable[[dict[str, Any]], tuple[str, list[Any]]]
    fields: tuple[SkipField, ...] = ()


skip_conditions: Registry[SkipCondition] = Registry()


def field_words(field: SkipField, value: Any) -> str:
    """Return a parameter as the rule's page words it."""
    if field.kind == "event":
        return str(event_words(str(value)))
    if field.choices is not None:
        return str({str(code): label for code, label in field.choices()}.get(str(value), value))
    return str(value)


def describe_condition(detail: str) -> str:
    """Return in words what a due row keeps of the condition that left it out: label, and what it asked."""
    kind, *asked = detail.split()
    found = skip_conditions.get(kind)
    if found is None or len(asked) > len(found.fields):
        return detail
    given = [
        f"{field.label}: {field_words(field, value)}"
        for field, value in zip(found.fields, asked, strict=False)
    ]
    return f"{found.label} ({_(', ').join(given)})" if given else str(found.label)
