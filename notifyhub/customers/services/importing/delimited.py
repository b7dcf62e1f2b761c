"""CSV and its relatives, read line by line.

Python's reader alone dies of one wrong byte and lets one lost quote swallow the rest of a file, so lines
are decoded and put together here: what is wrong with one record stays with that record.
"""

import csv
import re
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.services.importing.records import Record, bad, fit, unescape
from notifyhub.customers.services.importing.sniffing import bom_length, sniff_delimiter, sniff_encoding

MAX_LINE = 256 * 1024
MAX_LINES_OF_A_RECORD = 40
_UNREADABLE = re.compile("[\x00\ufffd\ue000-\uf8ff]")
_CHINESE = re.compile("[\u4e00-\u9fff]{2}")

# (number, text) or (number, "", why)
Line = tuple[int, str, str]


class Delimited:
    """A text file with one record a line, quoted where needed."""

    kind = "csv"

    def __init__(self, path: Path, *, encoding: str = "", delimiter: str = "") -> None:
        self.path = path
        self.encoding = encoding or sniff_encoding(path)
        start = [text for _number, text, _why in islice(self._lines(), 30) if text.strip()]
        self.delimiter = delimiter or sniff_delimiter(start)
        self._starts_with_separator_hint = bool(start) and start[0].lower().startswith("sep=")
        first = next(self._header_and_records(), None)
        if first is None or first.problem is not None:
            raise Refused(
                _("The first line cannot be read as column names. Check the encoding."), field="file"
            )
        self.header = first.cells
        while self.header and not self.header[-1]:
            self.header.pop()

    def records(self) -> Iterator[Record]:
        """Yield the records below the header; empty lines are passed over."""
        width = len(self.header)
        for record in islice(self._header_and_records(), 1, None):
            yield record if record.problem else fit(record.line, record.cells, width)

    def _lines(self) -> Iterator[Line]:
        wide = self.encoding.startswith("utf-16")
        yield from self._wide_lines() if wide else self._narrow_lines()

    def _narrow_lines(self) -> Iterator[Line]:
        """Yield lines of an encoding in which a line feed is always one byte (UTF-8, GB18030)."""
        encoding = self.encoding
        with self.path.open("rb") as file:
            file.seek(bom_length(self.path))
            number = 0
            while line := file.readline(MAX_LINE):
                number += 1
                if len(line) == MAX_LINE and not line.endswith(b"\n"):
                    while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                        pass
                    yield number, "", "too_long"
                    continue
                try:
                    text = line.decode(encoding)
                except UnicodeDecodeError:
                    yield number, "", "encoding"
                    continue
                if not line.isascii() and self._misread(line, text):
                    yield number, "", "encoding"
                else:
                    yield number, text, "" if "\x00" not in text else "unreadable"

    def _misread(self, line: bytes, text: str) -> bool:
        """Say whether a line decoded without an error but into the wrong characters."""
        if _UNREADABLE.search(text):
            return True
        if self.encoding != "gb18030":
            return False
        try:
            return bool(_CHINESE.search(line.decode("utf-8")))
        except UnicodeDecodeError:
            return False

    def _wide_lines(self) -> Iterator[Line]:
        with self.path.open(encoding=self.encoding, errors="replace", newline="") as file:
            file.read(bom_length(self.path) // 2)
            number = 0
            while line := file.readline(MAX_LINE):
                number += 1
                if len(line) == MAX_LINE and not line.endswith("\n"):
                    while (rest := file.readline(MAX_LINE)) and not rest.endswith("\n"):
                        pass
                    yield number, "", "too_long"
                elif _UNREADABLE.search(line):
                    yield number, "", "encoding"
                else:
                    yield number, line, ""

    def _header_and_records(self) -> Iterator[Record]:
        lines = _PushBack(self._lines())
        delimiter = self.delimiter
        hinted = self._starts_with_separator_hint
        for number, text, why in lines:
            if why:
                yield bad(number, why, encoding=self.encoding)
                continue
            if hinted and text.strip():
                hinted = False
                continue
            if '"' in text:
                record = _quoted(number, text, lines, delimiter)
            else:
                cells = [cell.strip() for cell in text.split(delimiter)]
                record = Record(number, [unescape(cell) for cell in cells] if "'" in text else cells)
            if record.problem or any(record.cells):
                yield record


class _PushBack:
    """Lines that can be put back, to be read again as records of their own."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._waiting: deque[Line] = deque()

    def __iter__(self) -> Iterator[Line]:
        return self

    def __next__(self) -> Line:
        return self._waiting.popleft() if self._waiting else next(self._lines)

    def put_back(self, lines: list[Line]) -> None:
        self._waiting.extendleft(reversed(lines))


def _parse(text: str, delimiter: str, *, strict: bool) -> list[str] | None:
    """Return the cells of one record, or None if it is not one."""
    try:
        rows = list(csv.reader([text], delimiter=delimiter, strict=strict))
    except csv.Error:
        return None
    return [unescape(cell.strip()) for cell in rows[0]] if len(rows) == 1 else None


def _quoted(number: int, text: str, lines: _PushBack, delimiter: str) -> Record:
    """Return the record that begins with `text`, taking the further lines that its quotes span."""
    taken: list[Line] = []
    quotes = text.count('"')
    # A quote in the middle of an unquoted cell is a character like any other.
    alone = _parse(text, delimiter, strict=True)
    if alone is not None:
        return Record(number, alone)
    whole = text
    while len(taken) < MAX_LINES_OF_A_RECORD:
        line = next(lines, None)
        if line is None:
            break
        taken.append(line)
        if line[2]:
            break
        whole += line[1]
        quotes += line[1].count('"')
        if quotes % 2 == 0 and line[1].count('"'):
            cells = _parse(whole, delimiter, strict=True)
            if cells is not None:
                return Record(number, cells)
            break
    lines.put_back(taken)
    if text.count('"') % 2 == 0 and (cells := _parse(text, delimiter, strict=False)) is not None:
        return Record(number, cells)
    return bad(number, "quote")
