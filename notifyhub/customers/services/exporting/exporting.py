"""An export from its first row to its last."""

import csv
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from notifyhub.core.errors import Refused
from notifyhub.customers.services.exporting.cells import guard, guard_typed
from notifyhub.customers.services.exporting.rows import (
    attribute_keys,
    count_customers,
    export_rows,
    header,
    rule_of,
)

CSV, XLSX = "csv", "xlsx"
MAX_SHEET_ROWS = 1_048_575
REPORT_EVERY = 2000
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Exported:
    """How many customers were written, and whether in full."""

    rows: int
    full: bool


def export_customers(
    *,
    path: Path,
    form: str = CSV,
    segment_id: int | None = None,
    full: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write the customers of a segment, or all, to `path`; return how many.

    Phone and email are masked unless `full`. The file is readable by this account alone; a half-written one
    is never left under its name. Raises Refused for an unknown segment or too many rows for a sheet.
    """
    rule = rule_of(segment_id)
    total = count_customers(rule)
    if form == XLSX and total > MAX_SHEET_ROWS:
        raise Refused(_("A sheet holds at most %d rows. Choose CSV.") % MAX_SHEET_ROWS, field="form")
    keys = attribute_keys(rule)
    rows = _reported(export_rows(rule, keys, full=full), total, progress)
    part = path.with_name(path.name + ".part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            written = (
                _write_sheet(file, header(keys), rows)
                if form == XLSX
                else _write_csv(file, header(keys), rows)
            )
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return Exported(rows=written, full=full)


def _reported(rows: Iterator[list[str]], total: int, progress: Progress | None) -> Iterator[list[str]]:
    done = 0
    for done, row in enumerate(rows, start=1):
        yield row
        if progress is not None and done % REPORT_EVERY == 0:
            progress(done, max(done, total))
    if progress is not None:
        progress(done, done)


def _write_csv(file: Any, names: list[str], rows: Iterable[list[str]]) -> int:
    # The byte order mark tells spreadsheets that this is UTF-8.
    file.write(b"\xef\xbb\xbf")
    writer = csv.writer(_Encoded(file), quoting=csv.QUOTE_ALL)
    writer.writerow([guard(name) for name in names])
    count = 0
    for row in rows:
        writer.writerow([guard(cell) for cell in row])
        count += 1
    return count


class _Encoded:
    def __init__(self, file: Any) -> None:
        self.file = file

    def write(self, text: str) -> int:
        return self.file.write(text.encode())


def _write_sheet(file: Any, names: list[str], rows: Iterable[list[str]]) -> int:
    book = Workbook(write_only=True)
    sheet = book.create_sheet(_("Customers"))
    sheet.append([_text(sheet, name) for name in names])
    count = 0
    for row in rows:
        sheet.append([_text(sheet, cell) for cell in row])
        count += 1
    book.save(file)
    return count


def _text(sheet: Any, text: str) -> Any:
    """Return a cell typed as text: openpyxl would make a formula of "=…", and a person editing it too."""
    text = ILLEGAL_CHARACTERS_RE.sub("", text)
    if not text:
        return None
    cell = WriteOnlyCell(sheet, value=guard_typed(text)[:32767])
    cell.data_type = "s"
    if guard(text) != text:
        cell.quotePrefix = True
    return cell
