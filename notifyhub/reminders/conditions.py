"""The conditions of our own under which a step is left out; other apps add theirs to the registry."""

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifyhub.core.errors import Refused
from notifyhub.core.registry import segment_fields
from notifyhub.customers.models import Segment
from notifyhub.reminders.registry import SkipCondition, SkipField, skip_conditions

MOST_HOURS = 24 * 90

# Whether a message of the same occasion, handed over before, was read or clicked.
_READ = """EXISTS (
    SELECT 1 FROM reminders_reminder p
    JOIN messaging_delivery pd ON pd.dispatch_id = p.dispatch_id AND pd.dedup_key = p.id
    WHERE p.occasion_id = o.id AND p.dispatch_id IS NOT NULL AND (pd.read_at IS NOT NULL OR EXISTS (
        SELECT 1 FROM messaging_deliveryevent pe
        WHERE pe.dispatch_id = pd.dispatch_id AND pe.delivery_id = pd.id
          AND pe.kind IN ('read', 'clicked'))))"""
_SENT = """EXISTS (
    SELECT 1 FROM reminders_reminder p
    WHERE p.occasion_id = o.id AND p.state = 'dispatched' AND p.reason = '')"""


def _event_within(params: dict[str, Any]) -> tuple[str, list[Any]]:
    name, hours = params.get("name"), params.get("hours", 24)
    if not isinstance(name, str) or not 0 < len(name) <= 80:
        raise Refused(gettext("Write the event's name like order_paid."), field="name")
    if type(hours) is not int or not 1 <= hours <= MOST_HOURS:
        raise Refused(
            gettext("Give a number from %(low)d to %(high)d.") % {"low": 1, "high": MOST_HOURS}, field="hours"
        )
    sql = """EXISTS (
        SELECT 1 FROM customers_event se
        WHERE se.customer_id = o.customer_id AND se.name = %s AND se.id IS DISTINCT FROM o.event_id
          AND se.occurred_at > r.due_at - %s * interval '1 hour'
          AND se.received_at > r.due_at - %s * interval '1 hour' - interval '1 day')"""
    return sql, [name, hours, hours]


def _segment(params: dict[str, Any]) -> tuple[str, list[Any]]:
    field = segment_fields.get("segment")
    if field is None or type(params.get("segment")) is not int:
        raise Refused(gettext("Choose a segment."), field="segment")
    try:
        sql, values = field.compile("in", [params["segment"]])
    except Refused as refusal:
        raise Refused(refusal.message, field="segment") from refusal
    return (sql if params.get("inside", True) else f"NOT ({sql})"), values


def _segments() -> list[tuple[int, str]]:
    return list(Segment.objects.filter(archived_at=None).order_by("name").values_list("pk", "name"))


def register() -> None:
    """Hand the conditions to the registry."""
    skip_conditions.register(
        "event_within",
        SkipCondition(
            label=_("Something has happened shortly before"),
            fields=(
                SkipField(name="name", label=_("Event"), kind="event"),
                SkipField(name="hours", label=_("within hours"), kind="number", default=24),
            ),
            compile=_event_within,
        ),
        order=10,
    )
    skip_conditions.register(
        "previous_read",
        SkipCondition(label=_("The message before was read or clicked"), compile=lambda params: (_READ, [])),
        order=20,
    )
    skip_conditions.register(
        "previous_unread",
        SkipCondition(
            label=_("The message before was not read"),
            compile=lambda params: (f"({_SENT} AND NOT {_READ})", []),
        ),
        order=30,
    )
    skip_conditions.register(
        "segment",
        SkipCondition(
            label=_("The customer is in a segment"),
            fields=(SkipField(name="segment", label=_("Segment"), kind="choice", choices=_segments),),
            compile=_segment,
        ),
        order=40,
    )
