"""The catalogue of events: counted by a tick that follows them, described by staff."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from notifyhub.core.errors import Conflict, Refused
from notifyhub.customers.models import EventName, EventProperty, Sensitivity
from notifyhub.customers.services.events.following import Span, follow_events
from notifyhub.customers.services.events.shapes import EVENT_NAME
from notifyhub.staff.services import audit

BOOKMARK = "catalogue"
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
# One go of the tick; what is left waits for the next.
SECONDS = 20.0
# A client that makes up names or keys fills no catalogue.
MOST_NAMES = 5000
MOST_KEYS = 200
# Keys that are about a person, whoever sends them; staff may say otherwise.
PERSONAL = (
    r"(^|_)(phone|mobile|tel|email|mail|address|addr|id_?card|passport|birthday|ip|wechat|openid|"
    r"(first|last|full|real|user|contact|guest|receiver)_?name)$"
)
PERSONAL_VALUE = r"^[^@\s]+@[^@\s]+\.[^@\s]+$|^\+?(86)?1[3-9]\d{9}$"

_NAMES = """
INSERT INTO customers_eventname AS own
    (name, purpose, total, first_at, last_at, sources, created_at, version)
SELECT e.name, '', count(*), min(e.received_at), max(e.received_at),
    (array_agg(DISTINCT split_part(e.source, ':', 1)))[1:10], now(), 1
FROM customers_event e WHERE e.received_at > %(after)s AND e.received_at <= %(upto)s
    AND ((SELECT count(*) FROM customers_eventname) < %(names)s
        OR e.name IN (SELECT name FROM customers_eventname))
GROUP BY e.name ORDER BY e.name
ON CONFLICT (name) DO UPDATE SET total = own.total + excluded.total,
    first_at = least(own.first_at, excluded.first_at), last_at = greatest(own.last_at, excluded.last_at),
    sources = (ARRAY(SELECT DISTINCT s FROM unnest(own.sources || excluded.sources) AS s ORDER BY s))[1:10]
"""
_DAYS = """
INSERT INTO customers_eventday AS own (event_id, day, count)
SELECT n.id, (e.received_at AT TIME ZONE %(zone)s)::date, count(*)
FROM customers_event e JOIN customers_eventname n ON n.name = e.name
WHERE e.received_at > %(after)s AND e.received_at <= %(upto)s GROUP BY 1, 2 ORDER BY 1, 2
ON CONFLICT (event_id, day) DO UPDATE SET count = own.count + excluded.count
"""
# Values of what is personal are never copied here.
_PROPERTIES = """
WITH said AS (
    SELECT n.id AS event_id, p.key, jsonb_typeof(p.value) AS kind, e.received_at,
        left(p.value #>> '{}', 80) AS text
    FROM customers_event e JOIN customers_eventname n ON n.name = e.name
    CROSS JOIN LATERAL jsonb_each(e.properties) AS p
    WHERE e.received_at > %(after)s AND e.received_at <= %(upto)s AND length(p.key) BETWEEN 1 AND 80
), counted AS (
    SELECT event_id, key, max(received_at) AS last_at,
        count(*) FILTER (WHERE kind = 'string') AS texts, count(*) FILTER (WHERE kind = 'number') AS numbers,
        count(*) FILTER (WHERE kind = 'boolean') AS booleans, count(*) FILTER (WHERE kind = 'array') AS lists,
        count(*) FILTER (WHERE kind = 'object') AS records, count(*) FILTER (WHERE kind = 'null') AS nulls,
        (array_agg(DISTINCT text) FILTER (WHERE kind IN ('string', 'number', 'boolean') AND text <> ''))[1:3]
            AS examples,
        key ~* %(personal)s OR bool_or(kind = 'string' AND text ~ %(value)s) AS personal
    FROM said GROUP BY event_id, key
), placed AS (
    SELECT c.*, k.id IS NOT NULL AS known, row_number() OVER (
        PARTITION BY c.event_id ORDER BY k.id IS NULL, c.texts + c.numbers DESC, c.key) AS place
    FROM counted c LEFT JOIN customers_eventproperty k ON k.event_id = c.event_id AND k.key = c.key
)
INSERT INTO customers_eventproperty AS own (event_id, key, purpose, sensitivity, expected, texts, numbers,
    booleans, lists, records, nulls, examples, last_at, version)
SELECT event_id, key, '', CASE WHEN personal THEN 'personal' ELSE 'none' END, '', texts, numbers, booleans,
    lists, records, nulls, CASE WHEN personal THEN '{}' ELSE coalesce(examples, '{}') END, last_at, 1
FROM placed p WHERE known OR (place <= %(keys)s
    AND (SELECT count(*) FROM customers_eventproperty o WHERE o.event_id = p.event_id) + place <= %(keys)s)
ORDER BY event_id, key
ON CONFLICT (event_id, key) DO UPDATE SET texts = own.texts + excluded.texts,
    numbers = own.numbers + excluded.numbers, booleans = own.booleans + excluded.booleans,
    lists = own.lists + excluded.lists, records = own.records + excluded.records,
    nulls = own.nulls + excluded.nulls, last_at = greatest(own.last_at, excluded.last_at),
    examples = CASE WHEN own.sensitivity <> 'none' THEN '{}' ELSE (ARRAY(SELECT DISTINCT x
        FROM unnest(excluded.examples || own.examples) AS x ORDER BY x))[1:3] END
"""


def count_events() -> int:
    """Count the events that came since the last time into the catalogue; return how many spans were read."""
    until = time.monotonic() + SECONDS
    spans = 1
    while follow_events(BOOKMARK, _count, start=BEGINNING) and time.monotonic() < until:
        spans += 1
    return spans


def _count(span: Span) -> None:
    values = {
        "after": span.after,
        "upto": span.upto,
        "zone": settings.TIME_ZONE,
        "names": MOST_NAMES,
        "keys": MOST_KEYS,
        "personal": PERSONAL,
        "value": PERSONAL_VALUE,
    }
    with connection.cursor() as cursor:
        for statement in (_NAMES, _DAYS, _PROPERTIES):
            cursor.execute(statement, values)


@transaction.atomic
def add_event_name(*, name: str, purpose: str = "") -> EventName:
    """Write down an event that is still to come; return it. Raises Refused if it is known or is no name."""
    if not EVENT_NAME.match(name):
        raise Refused(_("Write the event's name like order_paid."), field="name")
    try:
        with transaction.atomic():
            row = EventName.objects.create(name=name, purpose=purpose.strip()[:300])
    except IntegrityError as error:
        raise Refused(_("This event is in the catalogue already."), field="name") from error
    audit.record(verb="add_event_name", obj=row)
    return row


NAME_FIELDS = ("purpose", "owner", "owner_team", "keep_days")
PROPERTY_FIELDS = ("purpose", "sensitivity", "expected")


@transaction.atomic
def describe_event(*, event_id: int, changes: Mapping[str, Any], version: int | None) -> None:
    """Write what staff say of an event name; raise Conflict if it changed since `version`."""
    _write(EventName, event_id, {name: changes[name] for name in NAME_FIELDS if name in changes}, version)


@transaction.atomic
def describe_property(*, property_id: int, changes: Mapping[str, Any], version: int | None) -> None:
    """Write what staff say of a property; what becomes personal or sensitive loses its examples."""
    said = {name: changes[name] for name in PROPERTY_FIELDS if name in changes}
    if said.get("sensitivity", Sensitivity.NONE) not in Sensitivity.values:
        raise Refused(_("Choose how sensitive it is."), field="sensitivity")
    if said.get("expected") and said["expected"] not in EventProperty.Kind.values:
        raise Refused(_("Choose a type."), field="expected")
    if said.get("sensitivity", Sensitivity.NONE) != Sensitivity.NONE:
        said["examples"] = []
    _write(EventProperty, property_id, said, version)


def _write(model: Any, pk: int, changes: dict[str, Any], version: int | None) -> None:
    rows = model.objects.filter(pk=pk)
    if version is not None:
        rows = rows.filter(version=version)
    if not rows.update(**changes, version=F("version") + 1):
        raise Conflict(
            _("Somebody changed this meanwhile. Your entries are kept; compare and save again."),
        )
    row = model.objects.get(pk=pk)
    shown = {name: str(value) for name, value in changes.items() if name != "examples"}
    audit.record(verb="describe_event", obj=row, fields=shown)
