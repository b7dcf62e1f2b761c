"""Turning the cells of a record into an event, or into the reason why not."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from notifyhub.customers.services.events.importing.columns import PROPERTY
from notifyhub.customers.services.events.names import Names
from notifyhub.customers.services.events.shapes import EventIn
from notifyhub.customers.services.importing.problems import mask_cell
from notifyhub.customers.services.importing.records import Record
from notifyhub.customers.services.upsert import RowProblem

SOURCE = "csv"
_NUMBER = re.compile(r"^-?(0|[1-9]\d{0,14})(\.\d{1,9})?\Z")
_EPOCH = re.compile(r"^1\d{9}(\d{3})?\Z")
_DAY = re.compile(r"^(\d{4})\s*[/.年]\s*(\d{1,2})\s*[/.月]\s*(\d{1,2})\s*日?\s*")
_NOTHING = {"", "-", "--", "null", "none", "n/a", "\\n"}


def read_event(record: Record, mapping: Sequence[str], names: Names) -> EventIn | RowProblem:
    """Return the event a record speaks of, or the first thing that is wrong with it.

    A row without a message id gets one of its content, so that the same file read twice says nothing new.
    """
    if record.problem is not None:
        return record.problem
    cells: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    for field, cell in zip(mapping, record.cells, strict=True):
        if not field or cell.strip().lower() in _NOTHING:
            continue
        if field.startswith(PROPERTY):
            properties[field.removeprefix(PROPERTY)] = _value(cell)
        elif field == "properties":
            try:
                said = json.loads(cell)
            except (ValueError, RecursionError):
                said = None
            if not isinstance(said, dict):
                return RowProblem(line=record.line, code="json", column=field)
            properties = {**said, **properties}
        else:
            cells[field] = cell.strip()
    told = " ".join(cells.pop("name", "").split())[:200]
    if not told:
        return RowProblem(line=record.line, code="no_event", column="name")
    written = cells.pop("occurred_at", "")
    at = read_moment(written)
    if at is None:
        return RowProblem(line=record.line, code="moment", column="occurred_at", value=mask_cell(written))
    name, properties = names.ours(told, properties)
    message_id = cells.pop("message_id", "") or _id_of(name, at, cells, properties)
    return EventIn(
        message_id=message_id, name=name, occurred_at=at, properties=properties, source=SOURCE, **cells
    )


def read_moment(text: str) -> datetime | None:
    """Return a time in any usual notation; one without a zone is of the house's."""
    flat = unicodedata.normalize("NFKC", text).strip()
    if _EPOCH.match(flat):
        return datetime.fromtimestamp(int(flat[:10]) + int(flat[10:] or 0) / 1000, tz=UTC)
    flat = _DAY.sub(lambda found: f"{found[1]}-{int(found[2]):02d}-{int(found[3]):02d} ", flat).strip()
    try:
        moment = parse_datetime(flat)
        if moment is None and (day := parse_date(flat)) is not None:
            moment = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - made aware below
        if moment is None:
            return None
        return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
    except (ValueError, OverflowError):
        return None


def _value(cell: str) -> Any:
    if _NUMBER.match(cell):
        return float(cell) if "." in cell else int(cell)
    return {"true": True, "false": False}.get(cell.lower(), cell)


def _id_of(name: str, at: datetime, cells: dict[str, str], properties: dict[str, Any]) -> str:
    content = json.dumps([name, at.isoformat(), cells, properties], sort_keys=True, default=str)
    return f"csv:{hashlib.sha256(content.encode(errors='replace')).hexdigest()[:40]}"
