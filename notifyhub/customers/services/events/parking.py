"""Events put aside: kept as they were told, encrypted, until their customer is known or somebody looks."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from psycopg.types.json import Jsonb

from notifyhub.core import crypto
from notifyhub.core.errors import Refused
from notifyhub.customers.models import ParkedEvent
from notifyhub.customers.services.contacts import read_contact
from notifyhub.customers.services.events.again import in_one
from notifyhub.customers.services.events.people import id_hash
from notifyhub.customers.services.events.recording import EventProblem, EventsResult, take_events
from notifyhub.customers.services.events.shapes import EventIn
from notifyhub.customers.services.importing.problems import mask_cell

Why = ParkedEvent.Why
# Longer than anything a door lets in.
MAX_TOLD = 64 * 1024
_PEOPLE = ("external_id", "phone", "email", "anonymous_id")

_PARK = """
INSERT INTO customers_parkedevent AS own (why, state, message_id, name, occurred_at, received_at, source,
    field, reason, masked, keys, sealed, tries, tried_at, ended_by, ended_reason)
SELECT u.why, 'waiting', u.message_id, u.name, u.occurred_at, now(), u.source, u.field, u.reason, u.masked,
    ARRAY(SELECT decode(value, 'hex') FROM jsonb_array_elements_text(u.keys) AS value), u.sealed, 1, now(),
    '', ''
FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::text[], %s::text[],
    %s::text[], %s::jsonb[], %s::bytea[])
    AS u (why, message_id, name, occurred_at, source, field, reason, masked, keys, sealed)
ORDER BY u.message_id
ON CONFLICT (message_id) WHERE state = 'waiting' DO UPDATE SET
    why = excluded.why, name = excluded.name, occurred_at = excluded.occurred_at, field = excluded.field,
    reason = excluded.reason, masked = excluded.masked, keys = excluded.keys, sealed = excluded.sealed,
    tries = own.tries + 1, tried_at = now()
"""


@dataclass(frozen=True, kw_only=True)
class Aside:
    """One event to be put aside: what was told, and why it is not taken."""

    why: str
    told: Mapping[str, Any]
    source: str
    field: str = ""
    reason: str = ""


def record_events(events: Sequence[EventIn]) -> EventsResult:
    """Take the events in and put aside what cannot be taken; return the counts and the problems.

    Unknown customers are created or their events parked, as the house's policy says. The number of queries
    does not depend on the number of events.
    """

    def record() -> EventsResult:
        result = take_events(events)
        asides = unknown_asides(events, result)
        result.parked = len(asides)
        put_aside([*asides, *refused_asides(events, result.problems)])
        return result

    return in_one(record)


def unknown_asides(events: Sequence[EventIn], result: EventsResult) -> list[Aside]:
    """Return the events of `result` that wait for their customer."""
    told = [events[index] for index in result.unknown]
    return [
        Aside(
            why=Why.UNKNOWN if event.external_id or event.phone or event.email else Why.ANONYMOUS,
            told=as_told(event),
            source=event.source,
        )
        for event in told
    ]


def refused_asides(events: Sequence[EventIn], problems: Sequence[EventProblem]) -> list[Aside]:
    """Return the refused ones, without those of people who asked to be erased."""
    return [
        Aside(
            why=Why.REFUSED,
            told=as_told(events[problem.index]),
            source=events[problem.index].source,
            field=problem.field,
            reason=problem.message,
        )
        for problem in problems
        if problem.code != "erased"
    ]


def as_told(event: EventIn) -> dict[str, Any]:
    """Return an event as JSON values, without what it does not say."""
    told = {name: value for name, value in asdict(event).items() if value not in ("", None, {})}
    told["occurred_at"] = event.occurred_at.isoformat()
    return told


def event_of(told: Mapping[str, Any]) -> EventIn:
    """Return the event that was told; raise Refused if it lacks what an event has."""
    moment = told.get("occurred_at")
    at = parse_datetime(moment) if isinstance(moment, str) else None
    if at is None or timezone.is_naive(at):
        raise Refused(_("Give the time with its zone, like 2026-11-20T14:32:08+08:00."), field="occurred_at")
    properties = told.get("properties") or {}
    if not isinstance(properties, dict):
        raise Refused(_("This is not usable as JSON."), field="properties")
    texts = {
        name: str(told.get(name) or "") for name in ("message_id", "name", "order_number", "source", *_PEOPLE)
    }
    return EventIn(occurred_at=at, properties=properties, customer_id=told.get("customer_id"), **texts)


def put_aside(asides: Sequence[Aside]) -> int:
    """Keep these events, encrypted, each message id once; return how many that are."""
    rows: dict[str, tuple[Any, ...]] = {}
    for aside in asides:
        row = _row(aside)
        rows[row[1]] = row
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_PARK, [list(column) for column in zip(*rows.values(), strict=True)])
    return len(rows)


def _row(aside: Aside) -> tuple[Any, ...]:
    told = aside.told
    try:
        text = json.dumps(told, ensure_ascii=False, default=str)
        if len(text) > MAX_TOLD:
            text = json.dumps({"cut": text[:MAX_TOLD]}, ensure_ascii=False)
        sealed = crypto.encrypt(text)
    except (ValueError, RecursionError):
        text, sealed = repr(told)[:200], crypto.encrypt("{}")
    given = _clean(told.get("message_id"), 120)
    message_id = given or f"told:{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:32]}"
    keys, masked = identifiers_of(told)
    return (
        str(aside.why),
        message_id,
        _clean(told.get("name"), 200),
        _moment(told.get("occurred_at")),
        _clean(aside.source, 40),
        _clean(aside.field, 80),
        _clean(aside.reason, 300),
        masked[:120],
        Jsonb([key.hex() for key in keys]),
        sealed,
    )


def identifiers_of(told: Mapping[str, Any]) -> tuple[list[bytes], str]:
    """Return the look-up hashes of whom an event names, and how that is shown."""
    keys, shown = [], []
    for name in ("external_id", "anonymous_id"):
        value = _clean(told.get(name), 255)
        if value:
            keys.append(id_hash(value))
            shown.append(value if name == "external_id" else f"…{value[-6:]}")
    for kind in ("phone", "email"):
        value = _clean(told.get(kind), 254)
        if not value:
            continue
        try:
            contact = read_contact(kind=kind, raw=value)
        except Refused:
            shown.append(mask_cell(value))
            continue
        keys.append(contact.value_hash)
        shown.append(contact.masked)
    return keys, " · ".join(shown)


def _clean(value: Any, limit: int) -> str:
    return "".join(c for c in str(value or "") if c.isprintable())[:limit]


def _moment(value: Any) -> datetime | None:
    try:
        found = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and timezone.is_aware(found) else None
