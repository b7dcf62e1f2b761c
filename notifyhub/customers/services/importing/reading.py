"""Turning the cells of a record into a customer row, or into the reason why not."""

import re
import unicodedata
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from notifyhub.core.errors import Refused
from notifyhub.customers.services.contacts import read_contact
from notifyhub.customers.services.importing.columns import ATTRIBUTE, CUSTOMER_COLUMNS
from notifyhub.customers.services.importing.problems import mask_cell
from notifyhub.customers.services.importing.records import Record
from notifyhub.customers.services.upsert import CustomerRow, RowProblem
from notifyhub.customers.services.words import (
    DATE_ATTRIBUTES,
    MAX_TAG,
    MAX_TAGS,
    read_date,
    read_language,
    read_tags,
)

_NOTHING = {"-", "--", "—", "null", "none", "n/a", "nil", "\\n", "无"}
_SHEET_ERRORS = {"#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!"}
_MASKED = re.compile(r"^\+?\d{2,3}\*{4}\d{4}$|^\*{3,4}$|^[^@]?\*{3}@.+$")
_SCIENTIFIC = re.compile(r"^\+?\d(?:\.\d+)?[eE]\+?\d{1,2}$")
_WHOLE = re.compile(r"^\+?\d+\.0+$")
_LENGTHS = {"external_id": 64, "name": 120, "city": 60}
MAX_ATTRIBUTE = 16 * 1024
_CONTACT_KINDS = ("phone", "email", "wechat", "wecom", "dingtalk", "push")
_DATES = {ATTRIBUTE + key for key in DATE_ATTRIBUTES}


class _Bad(Exception):
    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


def read_row(record: Record, mapping: Sequence[str]) -> CustomerRow | RowProblem:
    """Return the customer a record speaks of, or the first thing that is wrong with it."""
    if record.problem is not None:
        return record.problem
    row = CustomerRow(line=record.line)
    masked: tuple[str, str] | None = None
    for field, cell in zip(mapping, record.cells, strict=True):
        if not field or not cell:
            continue
        if field in ("phone", "email") and "***" in cell and _MASKED.match(cell):
            masked = (field, cell)
            continue
        if cell.startswith('="') and cell.endswith('"'):
            # How some programs tell a spreadsheet that a number is text.
            cell = cell[2:-1]
        try:
            if cell in _SHEET_ERRORS:
                raise _Bad("formula")
            _take(row, field, cell)
        except _Bad as bad:
            return RowProblem(
                line=record.line, code=bad.code, column=field, value=mask_cell(cell), params=bad.params
            )
    # Our own export, read back, says nothing about whether the platform knows the customer.
    row.provisional = row.public_id is not None
    if row.external_id or row.public_id:
        return row
    if masked is not None:
        return RowProblem(line=record.line, code="masked", column=masked[0], value=mask_cell(masked[1]))
    if not any(kind in row.contacts for kind in CUSTOMER_COLUMNS.identifying):
        return RowProblem(line=record.line, code="nobody")
    return row


def _take(row: CustomerRow, field: str, cell: str) -> None:
    if field in _CONTACT_KINDS:
        _contact(row, field, cell)
    elif field in _LENGTHS:
        setattr(row, field, _short(cell, _LENGTHS[field]))
    elif field.startswith(ATTRIBUTE):
        value = _date(cell) if field in _DATES else _long(cell)
        row.attributes[field.removeprefix(ATTRIBUTE)] = value
    else:
        _READERS[field](row, cell)


def _contact(row: CustomerRow, kind: str, cell: str) -> None:
    if cell.lower() in _NOTHING:
        return
    if kind == "phone":
        cell = whole_number(cell)
    try:
        row.contacts[kind] = read_contact(kind=kind, raw=cell)
    except Refused as refusal:
        raise _Bad(kind if kind in ("phone", "email") else "contact") from refusal


def whole_number(cell: str) -> str:
    """Return a number that a spreadsheet wrote as 1.3812345678E+10 or 13812345678.0 in full digits.

    Raises _Bad("rounded") if digits are lost: 1.38E+10 may be ten million phones.
    """
    if _WHOLE.match(cell):
        return cell.partition(".")[0]
    if not _SCIENTIFIC.match(cell):
        return cell
    try:
        number = Decimal(cell)
    except InvalidOperation as error:
        raise _Bad("phone") from error
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent > 1:
        raise _Bad("rounded")
    return str(int(number))


def _short(cell: str, limit: int) -> str:
    if len(cell) > limit:
        raise _Bad("length", limit=limit)
    if not cell.isprintable():
        cell = " ".join(cell.split())
        if any(unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn") for character in cell):
            raise _Bad("control")
    return cell


def _long(cell: str) -> str:
    """Return an attribute as it is: it may have lines, and comes back from an export unchanged."""
    if len(cell) > MAX_ATTRIBUTE:
        raise _Bad("length", limit=MAX_ATTRIBUTE)
    return cell


def _date(cell: str) -> str:
    found = read_date(cell)
    if found is None:
        raise _Bad("date")
    return found


def _public_id(row: CustomerRow, cell: str) -> None:
    try:
        row.public_id = str(uuid.UUID(cell))
    except ValueError as error:
        raise _Bad("public_id") from error


def _locale(row: CustomerRow, cell: str) -> None:
    row.locale = read_language(cell)
    if row.locale is None:
        raise _Bad("locale")


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _time_zone(row: CustomerRow, cell: str) -> None:
    if cell not in _zones():
        raise _Bad("time_zone")
    row.time_zone = cell


def _tags(row: CustomerRow, cell: str) -> None:
    tags = read_tags(cell)
    if len(tags) > MAX_TAGS:
        raise _Bad("tags", limit=MAX_TAGS)
    row.tags = [_short(tag, MAX_TAG) for tag in tags]


_READERS: dict[str, Callable[[CustomerRow, str], None]] = {
    "public_id": _public_id,
    "locale": _locale,
    "time_zone": _time_zone,
    "tags": _tags,
}
