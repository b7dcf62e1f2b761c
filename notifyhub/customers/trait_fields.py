"""Traits as fields of the audience rules: each one look-up of the customer's portrait."""

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.core.registry import SegmentField, segment_fields
from notifyhub.customers.services.traits.catalogue import TRAITS, Trait

Compiled = tuple[str, list[Any]]

NUMBER = ("at_least", "at_most", "between")
DATE = ("within_days", "not_within_days", "before", "after")
CHOICE = ("in", "not_in")
OPERATORS = {
    "number": NUMBER,
    "money": NUMBER,
    "hour": NUMBER,
    "date": DATE,
    "choice": CHOICE,
    "text": CHOICE,
}
MOST = Decimal(10**12)
LONGEST_AGO = 20_000
# Who never paid has no currency, and has spent nothing in any.
_CURRENCY = "t.currency IN (coalesce((SELECT g.currency FROM customers_traitsettings g), 'CNY'), '')"


def _exists(condition: str, params: list[Any], *, negated: bool = False) -> Compiled:
    # EXISTS and not IN: in whatever group of a rule it stands, it is one look-up by key at worst.
    return (
        f"{'NOT ' if negated else ''}EXISTS (SELECT 1 FROM customers_customertrait t"
        f" WHERE t.customer_id = c.id AND {condition})"
    ), params


def read_number(value: Any) -> Decimal:
    """Return a number of a rule; raise Refused for what is none."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise InvalidOperation
        number = Decimal(str(value).strip())
        if not number.is_finite() or abs(number) > MOST:
            raise InvalidOperation
    except InvalidOperation as error:
        raise Refused(_("Write a number.")) from error
    return number


def _bounds(operator: str, value: Any, *, ordered: bool = True) -> tuple[Decimal | None, Decimal | None]:
    if operator != "between":
        number = read_number(value[0] if isinstance(value, list) and len(value) == 1 else value)
        return (number, None) if operator == "at_least" else (None, number)
    if not isinstance(value, list) or len(value) != 2:
        raise Refused(_("Write two numbers, from and to."))
    low, high = read_number(value[0]), read_number(value[1])
    if ordered and low > high:
        raise Refused(_("The first number is larger than the second."))
    return low, high


def _compare(column: str, low: Decimal | None, high: Decimal | None) -> Compiled:
    parts, params = [], []
    for sign, bound in ((">=", low), ("<=", high)):
        if bound is not None:
            parts.append(f"t.{column} {sign} %s")
            params.append(bound)
    return " AND ".join(parts), params


def _number(column: str, operator: str, value: Any) -> Compiled:
    return _exists(*_compare(column, *_bounds(operator, value)))


def _money(column: str, operator: str, value: Any) -> Compiled:
    sql, params = _compare(column, *_bounds(operator, value))
    return _exists(f"{sql} AND {_CURRENCY}", params)


def _hour(column: str, operator: str, value: Any) -> Compiled:
    low, high = _bounds(operator, value, ordered=False)
    if any(bound is not None and not 0 <= bound <= 23 for bound in (low, high)):
        raise Refused(_("An hour is a number from 0 to 23."))
    if low is not None and high is not None and low > high:
        # From 22 to 2 leads over midnight.
        return _exists(f"(t.{column} >= %s OR t.{column} <= %s)", [low, high])
    return _exists(*_compare(column, low, high))


def _days_since(column: str, operator: str, value: Any) -> Compiled:
    low, high = _bounds(operator, value)
    parts, params = [], []
    for sign, bound, more in (("<=", low, 0), (">", high, 1)):
        if bound is not None:
            parts.append(f"t.{column} {sign} statement_timestamp() - make_interval(days => %s)")
            params.append(_days(bound) + more)
    return _exists(" AND ".join(parts), params)


def _days(number: Decimal) -> int:
    if not 0 <= number <= LONGEST_AGO or number != int(number):
        raise Refused(_("Write a number of days."))
    return int(number)


def _date(column: str, operator: str, value: Any) -> Compiled:
    one = value[0] if isinstance(value, list) and len(value) == 1 else value
    if operator in ("within_days", "not_within_days"):
        sql = f"t.{column} > statement_timestamp() - make_interval(days => %s)"
        return _exists(sql, [_days(read_number(one))], negated=operator == "not_within_days")
    try:
        day = parse_date(str(one))
    except ValueError:
        day = None
    if day is None:
        raise Refused(_("Write a date like 2026-11-20."))
    # In the zone of the session, which is the house's.
    sign, edge = ("<", "%s::date") if operator == "before" else (">=", "%s::date + 1")
    return _exists(f"t.{column} {sign} ({edge})::timestamptz", [day])


def _one_of(column: str, trait: Trait, operator: str, value: Any) -> Compiled:
    values = [str(one) for one in (value if isinstance(value, list) else [value]) if one not in (None, "")]
    if not values:
        raise Refused(_("Choose at least one value."))
    known = {str(code) for code, _label in trait.choices}
    if known and not known.issuperset(values):
        raise Refused(_("“%s” is none of the choices.") % next(one for one in values if one not in known))
    numbers = bool(trait.choices) and isinstance(trait.choices[0][0], int)
    listed: list[Any] = [int(one) for one in values] if numbers else values
    return _exists(f"t.{column} = ANY(%s)", [listed], negated=operator == "not_in")


COMPILERS: dict[str, Callable[[str, str, Any], Compiled]] = {
    "number": _number,
    "money": _money,
    "hour": _hour,
    "date": _date,
}


def _compiler(name: str, trait: Trait) -> Callable[[str, Any], Compiled]:
    column = trait.column or name
    if name == "days_since_order":
        return partial(_days_since, column)
    if trait.kind in ("choice", "text"):
        return partial(_one_of, column, trait)
    return partial(COMPILERS[trait.kind], column)


def _same(choices: Sequence[tuple[Any, Any]]) -> Sequence[tuple[Any, Any]]:
    return choices


def register() -> None:
    """Hand a field for each trait to the registry."""
    for name, trait in TRAITS.items():
        segment_fields.register(
            name,
            SegmentField(
                label=trait.label,
                kind=trait.kind,
                operators=OPERATORS[trait.kind],
                compile=_compiler(name, trait),
                choices=partial(_same, trait.choices) if trait.choices else None,
                group=trait.group,
                unit=trait.unit,
                help=trait.formula,
            ),
        )
