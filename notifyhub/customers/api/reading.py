"""Events as most platforms send them, read without a serializer; which does the rest."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from notifyhub.customers.api import serializers as shapes
from notifyhub.customers.services.events import EventIn

_TEXTS = {
    "message_id": 120, "name": 80, "external_id": 64, "phone": 40, "email": 254, "order_number": 64,
    "anonymous_id": 255,
}  # fmt: skip
_NEEDED = ("message_id", "name")


def read_event(item: Any, *, source: str) -> tuple[EventIn | None, Any]:
    """Return the event an item is, or None and the errors by field."""
    plain = _plain(item)
    if plain is not None:
        return EventIn(**plain, source=source), None
    serializer = shapes.EventInSerializer(data=item)
    if not serializer.is_valid():
        return None, serializer.errors
    said = {name: value for name, value in serializer.validated_data.items() if value is not None}
    return EventIn(**said, source=source), None


def _plain(item: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the fields of an item that needs no cleaning at all, None for any other."""
    found: dict[str, Any] = {}
    for name, value in item.items():
        limit = _TEXTS.get(name)
        if limit is not None:
            if value is None and name not in _NEEDED:
                continue
            if (
                type(value) is not str
                or len(value) > limit
                or not value.isprintable()
                or value != value.strip()
            ):
                return None
            found[name] = value
        elif name == "occurred_at":
            try:
                moment = datetime.fromisoformat(value)
            except (TypeError, ValueError):
                return None
            if moment.tzinfo is None:
                return None
            found[name] = moment
        elif name == "properties":
            if value is None:
                continue
            if type(value) is not dict:
                return None
            found[name] = value
    complete = "occurred_at" in found and all(found.get(name) for name in _NEEDED)
    return found if complete else None
