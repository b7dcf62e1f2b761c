"""The customers app's own fields for audience rules."""

from typing import Any

from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from notifyhub.core.errors import Refused
from notifyhub.core.registry import SegmentField, segment_fields
from notifyhub.customers.words import EVENTS

LONGEST_AGO = 3_650


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(item, str) and item for item in values):
        raise Refused(_t("Choose at least one value."))
    return values


def _numbers(value: Any) -> list[int]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(item, int) and not isinstance(item, bool) for item in values):
        raise Refused(_t("Choose at least one value."))
    return values


def _city(operator: str, value: Any) -> tuple[str, list[Any]]:
    negation = "NOT " if operator == "not_in" else ""
    return f"{negation}c.city = ANY(%s)", [_texts(value)]


def _locale(operator: str, value: Any) -> tuple[str, list[Any]]:
    return "c.locale = ANY(%s)", [_texts(value)]


def _tag(operator: str, value: Any) -> tuple[str, list[Any]]:
    tags = _texts(value)
    if operator == "has_all":
        return "c.tags @> %s::varchar[]", [tags]
    return ("NOT " if operator == "has_none" else "") + "c.tags && %s::varchar[]", [tags]


def _segment(operator: str, value: Any) -> tuple[str, list[Any]]:
    from notifyhub.customers.models import Segment
    from notifyhub.customers.services.audiences import compile_saved

    ids = _numbers(value)
    segments = Segment.objects.in_bulk(ids)
    if len(segments) != len(set(ids)):
        raise Refused(_t("A segment in the rule no longer exists. Choose another one."))
    parts: list[str] = []
    params: list[Any] = []
    lists = [pk for pk, segment in segments.items() if segment.kind == Segment.Kind.STATIC]
    if lists:
        parts.append(
            "EXISTS (SELECT 1 FROM customers_segmentmember m "
            "WHERE m.customer_id = c.id AND m.segment_id = ANY(%s))"
        )
        params.append(lists)
    for pk, segment in segments.items():
        if segment.kind == Segment.Kind.RULE:
            sql, values = compile_saved(pk, segment.name, segment.rule)
            parts.append(f"({sql})")
            params.extend(values)
    return ("NOT " if operator == "not_in" else "") + "(" + " OR ".join(parts) + ")", params


def _ids(operator: str, value: Any) -> tuple[str, list[Any]]:
    return "c.id = ANY(%s)", [_numbers(value)]


def _event(operator: str, value: Any) -> tuple[str, list[Any]]:
    name, days = (value.get("event"), value.get("days")) if isinstance(value, dict) else (None, None)
    if not isinstance(name, str) or not 0 < len(name) <= 80:
        raise Refused(_t("Choose an event."))
    if isinstance(days, bool) or not isinstance(days, int) or not 0 < days <= LONGEST_AGO:
        raise Refused(_t("Write a number of days."))
    # An event is told a day before it occurred at most, so the months before are not looked at.
    return (
        f"{'NOT ' if operator == 'not_within_days' else ''}EXISTS (SELECT 1 FROM customers_event e"
        " WHERE e.customer_id = c.id AND e.name = %s"
        " AND e.occurred_at > statement_timestamp() - make_interval(days => %s)"
        " AND e.received_at > statement_timestamp() - make_interval(days => %s))"
    ), [name, days, days + 1]


def register() -> None:
    """Hand the fields to the registry."""
    fields = {
        "city": SegmentField(label=_("City"), kind="text", operators=("in", "not_in"), compile=_city),
        "tag": SegmentField(
            label=_("Tag"), kind="set", operators=("has_any", "has_all", "has_none"), compile=_tag
        ),
        "locale": SegmentField(label=_("Language"), kind="choice", operators=("in",), compile=_locale),
        "segment": SegmentField(
            label=_("Segment"), kind="choice", operators=("in", "not_in"), compile=_segment
        ),
        "event": SegmentField(
            label=_("Event"),
            kind="event",
            operators=("within_days", "not_within_days"),
            compile=_event,
            choices=lambda: list(EVENTS.items()),
            group=_("Events"),
            help=_("What the platform told of the customer, and what they did with our messages."),
        ),
        "customer": SegmentField(label=_("Customer"), kind="choice", operators=("in",), compile=_ids),
    }
    for name, field in fields.items():
        segment_fields.register(name, field)
