"""XLSX workbooks, streamed, with limits on what they may unpack to."""

import datetime
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _
from openpyxl import load_workbook

from notifyhub.core.errors import Refused
from notifyhub.customers.services.importing.records import Record, fit, unescape

MAX_UNPACKED = 1 << 30
MAX_SHARED_TEXTS = 64 << 20
MAX_PARTS = 2000
MAX_CELLS = 300
# What openpyxl, the XML parser (a SyntaxError) and the archive raise for a damaged workbook.
_DAMAGE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    SyntaxError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
)


class Workbook:
    """The first visible sheet of a workbook; its first row that is not empty names the columns."""

    kind = "xlsx"
    encoding = ""
    delimiter = ""

    def __init__(self, path: Path) -> None:
        self.path = path
        _check_parts(path)
        first = next(self._rows(), None)
        if first is None:
            raise Refused(_("The first sheet of this workbook is empty."), field="file")
        self.header = first[1]
        while self.header and not self.header[-1]:
            self.header.pop()

    def records(self) -> Iterator[Record]:
        """Yield the rows below the header; empty ones are passed over."""
        width = len(self.header)
        rows = self._rows()
        next(rows, None)
        for number, cells in rows:
            yield fit(number, cells + [""] * (width - len(cells)), width)

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        try:
            with warnings.catch_warnings():
                # openpyxl remarks on styles and extensions it does not keep; only values matter here.
                warnings.simplefilter("ignore")
                # An open file: openpyxl refuses a path by its suffix, and uploads are kept without one.
                with self.path.open("rb") as file:
                    book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
                    try:
                        yield from _cells(book)
                    finally:
                        book.close()
        except Refused:
            raise
        except _DAMAGE as error:
            raise Refused(_broken(), field="file") from error


def _broken() -> str:
    return _("This workbook is damaged. Open it in a spreadsheet program and save it again.")


def _cells(book: Any) -> Iterator[tuple[int, list[str]]]:
    sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    if not sheets:
        return
    # The sheet's own statement of its size is not to be trusted.
    sheets[0].reset_dimensions()
    for number, row in enumerate(sheets[0].iter_rows(values_only=True), start=1):
        if len(row) > MAX_CELLS and any(value is not None for value in row[MAX_CELLS:]):
            raise Refused(_("A row of the sheet has more than %d cells.") % MAX_CELLS, field="file")
        cells = [as_text(value) for value in row[:MAX_CELLS]]
        if any(cells):
            yield number, cells


def as_text(value: Any) -> str:
    """Return a typed cell as the text a person would have typed: 13812345678, 1990-03-02, true."""
    if value is None:
        return ""
    if isinstance(value, str):
        return unescape(value.strip())
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # A phone shown as 1.38E+10 is the whole number here.
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return value.date().isoformat() if midnight else value.isoformat(sep=" ", timespec="seconds")
    return str(value)


def _check_parts(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            names = {part.filename.lower() for part in parts}
            if "[content_types].xml" not in names or not any(name.startswith("xl/") for name in names):
                raise Refused(_("This is not a workbook. Use XLSX or CSV."), field="file")
            if any("vbaproject" in name or "macrosheets" in name for name in names):
                raise Refused(_("Workbooks with macros are not taken. Save it as XLSX."), field="file")
            shared = sum(part.file_size for part in parts if part.filename.endswith("sharedStrings.xml"))
            unpacked = sum(part.file_size for part in parts)
            if len(parts) > MAX_PARTS or unpacked > MAX_UNPACKED or shared > MAX_SHARED_TEXTS:
                raise Refused(_("This workbook is too large. Save it as CSV."), field="file")
            for part in parts:
                if part.filename.endswith((".xml", ".rels")):
                    with archive.open(part) as file:
                        # Entities are of no use in a workbook, other than to blow up its reader.
                        if b"<!DOCTYPE" in file.read(2048).replace(b"\x00", b""):
                            raise Refused(_broken(), field="file")
    except (zipfile.BadZipFile, EOFError, OSError, RuntimeError) as error:
        raise Refused(_broken(), field="file") from error
