"""The rows of an export, read by key in slices, so that a million of them need no memory."""

from collections.abc import Iterator
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from notifyhub.core import crypto
from notifyhub.core.errors import Refused
from notifyhub.customers.models import Segment
from notifyhub.customers.services.audiences import compile_audience
from notifyhub.customers.services.importing.columns import FIELDS
from notifyhub.customers.services.words import write_tags

SLICE = 2000
MAX_ATTRIBUTES = 150
COLUMNS = ("public_id", "external_id", "name", "phone", "email", "city", "tags", "locale", "time_zone")

_KEYS = """
SELECT DISTINCT key FROM customers_customer c, jsonb_object_keys(c.attributes) AS key
WHERE {audience} ORDER BY key LIMIT %s
"""
_ROWS = """
SELECT c.id, c.public_id::text, c.external_id, c.name, p.masked, p.value, e.masked, e.value, c.city, c.tags,
    c.locale, c.time_zone,
    ARRAY(SELECT c.attributes ->> key FROM unnest(%s::text[]) WITH ORDINALITY AS k (key, n) ORDER BY n)
FROM customers_customer c
LEFT JOIN customers_contactpoint p ON p.customer_id = c.id AND p.kind = 'phone' AND p."primary"
LEFT JOIN customers_contactpoint e ON e.customer_id = c.id AND e.kind = 'email' AND e."primary"
WHERE c.id > %s AND {audience} ORDER BY c.id LIMIT %s
"""


def rule_of(segment_id: int | None) -> dict[str, Any]:
    """Return the audience of an export: a segment, or everybody; raise Refused if there is none such."""
    if segment_id is None:
        return {"all": True}
    segment = Segment.objects.filter(pk=segment_id, archived_at=None).first()
    if segment is None:
        raise Refused(_("There is no segment with number %s.") % segment_id, field="segment")
    if segment.kind == Segment.Kind.STATIC:
        return {"field": "segment", "operator": "in", "value": [segment.pk]}
    return segment.rule


def count_customers(rule: dict[str, Any]) -> int:
    """Return how many customers an export would hold."""
    audience, params = compile_audience(rule)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM customers_customer c WHERE {audience}", params)
        return cursor.fetchone()[0]


def attribute_keys(rule: dict[str, Any]) -> list[str]:
    """Return the attributes that the customers have, at most 150."""
    audience, params = compile_audience(rule)
    with connection.cursor() as cursor:
        cursor.execute(_KEYS.format(audience=audience), [*params, MAX_ATTRIBUTES])
        return [key for (key,) in cursor.fetchall()]


def header(keys: list[str]) -> list[str]:
    """Return the column names, which the import understands in every language."""
    return [*(str(FIELDS[name]) for name in COLUMNS), *(f"attributes.{key}" for key in keys)]


def export_rows(rule: dict[str, Any], keys: list[str], *, full: bool) -> Iterator[list[str]]:
    """Yield the cells of each customer, by id; phone and email masked unless `full`."""
    audience, params = compile_audience(rule)
    last = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_ROWS.format(audience=audience), [keys, last, *params, SLICE])
            records = cursor.fetchall()
        for record in records:
            yield _cells(record, full)
        if len(records) < SLICE:
            return
        last = records[-1][0]


def _cells(record: tuple[Any, ...], full: bool) -> list[str]:
    _id, public_id, external_id, name, *contacts, city, tags, locale, zone, attributes = record
    phone_masked, phone, email_masked, email = contacts
    return [
        public_id,
        external_id or "",
        name,
        _contact(phone_masked, phone, full),
        _contact(email_masked, email, full),
        city,
        write_tags(tags),
        locale,
        zone,
        *(value or "" for value in attributes),
    ]


def _contact(masked: str | None, value: Any, full: bool) -> str:
    if masked is None or not full:
        return masked or ""
    try:
        return crypto.decrypt(value)
    except crypto.Undecryptable:
        # Its key is gone; the masked form says at least that there is one.
        return masked
