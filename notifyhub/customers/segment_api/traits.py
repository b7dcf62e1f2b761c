"""Segment's traits as what we know of customers."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from notifyhub.core.errors import Refused
from notifyhub.customers.services.contacts import read_contact
from notifyhub.customers.services.events.names import snake_case
from notifyhub.customers.services.events.shapes import json_text
from notifyhub.customers.services.upsert import CustomerRow
from notifyhub.customers.services.words import DATE_ATTRIBUTES, read_date, read_language

# Told apart below, or of no use here.
_TAKEN = {
    "name", "firstName", "first_name", "lastName", "last_name", "phone", "email", "city", "locale",
    "language", "timezone", "time_zone", "id", "userId",
}  # fmt: skip
MAX_ATTRIBUTES = 16 * 1024
Problem = tuple[str, str]


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def row_of(
    *, line: int, external_id: str, traits: Mapping[str, Any], context: Mapping[str, Any]
) -> tuple[CustomerRow, list[Problem]]:
    """Return the customer that traits and context speak of, and what in them cannot be used, with why.

    What cannot be used is left out; the rest counts.
    """
    row = CustomerRow(line=line, external_id=external_id or None, provisional=not external_id)
    problems: list[Problem] = []
    row.name = _name(traits)
    for kind in ("phone", "email"):
        raw = traits.get(kind)
        if raw in (None, ""):
            continue
        try:
            row.contacts[kind] = read_contact(kind=kind, raw=str(raw)[:254])
        except Refused as refusal:
            problems.append((f"traits.{kind}", str(refusal)))
    address = traits.get("address")
    city = traits.get("city") or (address.get("city") if isinstance(address, Mapping) else None)
    row.city = _short(city, 60)
    locale = next(
        (v for v in (traits.get("locale"), traits.get("language"), context.get("locale")) if v), None
    )
    row.locale = read_language(str(locale)) if locale else None
    zone = traits.get("timezone") or traits.get("time_zone") or context.get("timezone")
    row.time_zone = zone if isinstance(zone, str) and zone in _zones() else None
    row.attributes = _attributes(traits, problems)
    return row, problems


def _name(traits: Mapping[str, Any]) -> str | None:
    whole = _short(traits.get("name"), 120)
    if whole:
        return whole
    first = traits.get("firstName") or traits.get("first_name") or ""
    last = traits.get("lastName") or traits.get("last_name") or ""
    return _short(f"{first} {last}", 120)


def _short(value: Any, limit: int) -> str | None:
    if not isinstance(value, str):
        return None
    text = " ".join("".join(c if c.isprintable() else " " for c in value).split())[:limit]
    return text or None


def _attributes(traits: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for told, value in traits.items():
        key = (snake_case(told) or told)[:60]
        if told in _TAKEN or value is None or not key.isprintable():
            continue
        if key in DATE_ATTRIBUTES:
            value = read_date(str(value))
            if value is None:
                continue
        found[key] = value
    try:
        json_text(found, field="traits", limit=MAX_ATTRIBUTES)
    except Refused as refusal:
        problems.append(("traits", str(refusal)))
        return {}
    return found
