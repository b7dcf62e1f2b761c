"""Encrypting what is stored again under the newest key, whatever table it stands in."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.db.models import Max, Min

from notifyhub.core import crypto
from notifyhub.core.fields import EncryptedTextField
from notifyhub.core.registry import SealedColumn, sealed_columns
from notifyhub.staff.services import audit

# Ids looked at by one statement, so that none runs long over a table that is rotated already.
SPAN = 50_000

_OLD = """
SELECT {pk}, {column} FROM {table}
WHERE {pk} > %s AND {pk} <= %s AND {column} IS NOT NULL AND substring({column} FROM 1 FOR %s) <> %s
ORDER BY {pk} LIMIT %s
"""
# Locked in the order of ids, like everywhere. The old value is compared: what was written meanwhile stays.
_WRITE = """
WITH u AS (
    SELECT * FROM unnest(%(ids)s::bigint[], %(old)s::bytea[], %(fresh)s::bytea[]) AS u (id, old, fresh)
),
locked AS MATERIALIZED (
    SELECT t.{pk} AS id FROM {table} t WHERE t.{pk} = ANY (%(ids)s) ORDER BY t.{pk} FOR NO KEY UPDATE
)
UPDATE {table} t SET {column} = u.fresh{also}
FROM u JOIN locked USING (id) WHERE t.{pk} = u.id AND t.{column} = u.old
"""


@dataclass
class Rotated:
    """How many values were encrypted again, by column, and how many no key we have can read."""

    done: dict[str, int] = field(default_factory=dict)
    unreadable: dict[str, int] = field(default_factory=dict)


def encrypted_columns() -> dict[str, SealedColumn]:
    """Return every column of ciphertext by "app_label.Model.field"."""
    found = {}
    for model in apps.get_models():
        for one in model._meta.concrete_fields:
            if isinstance(one, EncryptedTextField):
                found[f"{model._meta.label}.{one.name}"] = SealedColumn(
                    model=model._meta.label, field=one.name
                )
    return {**found, **dict(sealed_columns.items())}


def rotate_field_keys(*, progress: Callable[[str, int], None] | None = None) -> Rotated:
    """Encrypt every value that may rotate under the newest key, slice by slice; return the counts.

    Stopped at any moment it goes on when called again: each value names its key. Look-up hashes do not
    change, they hang on the oldest key.
    """
    rotated = Rotated()
    for name, column in encrypted_columns().items():
        if not column.rotates:
            continue
        done, unreadable = _rotate_column(column, partial(progress or _nothing, name))
        if done:
            rotated.done[name] = done
        if unreadable:
            rotated.unreadable[name] = unreadable
        if done or unreadable:
            audit.record(
                verb="rotate_field_keys",
                object_type=column.model.lower(),
                column=column.field,
                key=crypto.current_key_id(),
                done=done,
                unreadable=unreadable,
            )
    return rotated


def _nothing(name: str, done: int) -> None:
    pass


def _rotate_column(column: SealedColumn, progress: Callable[[int], None]) -> tuple[int, int]:
    model = apps.get_model(column.model)
    quote, meta = connection.ops.quote_name, model._meta
    names = {
        "table": quote(meta.db_table),
        "pk": quote(str(meta.pk.column)),
        "column": quote(str(meta.get_field(column.field).column)),
    }
    also = f", {quote(column.key_field)} = %(key)s" if column.key_field else ""
    current = crypto.current_key_id()
    head = bytes([len(current.encode())]) + current.encode()
    ends = model._base_manager.aggregate(first=Min("pk"), last=Max("pk"))
    done = unreadable = 0
    if ends["first"] is None:
        return done, unreadable
    after, last = ends["first"] - 1, ends["last"]
    while after < last:
        upto = min(after + SPAN, last)
        with connection.cursor() as cursor:
            cursor.execute(_OLD.format(**names), [after, upto, len(head), head, column.at_once])
            rows = [(pk, bytes(value)) for pk, value in cursor.fetchall()]
        fresh = {pk: text for pk, value in rows if (text := _again(value)) is not None}
        unreadable += len(rows) - len(fresh)
        if fresh:
            values: dict[str, Any] = {
                "ids": list(fresh),
                "old": [value for pk, value in rows if pk in fresh],
                "fresh": list(fresh.values()),
                "key": current,
            }
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(_WRITE.format(**names, also=also), values)
                done += cursor.rowcount
            progress(done)
        after = rows[-1][0] if len(rows) == column.at_once else upto
    return done, unreadable


def _again(value: bytes) -> bytes | None:
    try:
        return crypto.encrypt(crypto.decrypt(value))
    except crypto.Undecryptable:
        return None
