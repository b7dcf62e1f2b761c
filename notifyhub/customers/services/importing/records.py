"""One record of a file: its line and its cells, or why it cannot be read."""

import re
from typing import Any, NamedTuple

from notifyhub.customers.services.upsert import RowProblem

# What our own export puts before a cell that a spreadsheet would take for a formula.
_ESCAPED = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")


class Record(NamedTuple):
    """`cells` are texts without surrounding space; `problem` is set if they are not to be used."""

    line: int
    cells: list[str]
    problem: RowProblem | None = None


def unescape(cell: str) -> str:
    """Return the cell without the apostrophe that protects a spreadsheet from it."""
    return cell[1:] if cell.startswith("'") and _ESCAPED.match(cell) else cell


def bad(line: int, code: str, **params: Any) -> Record:
    """Return a record that cannot be read."""
    return Record(line, [], RowProblem(line=line, code=code, params=params))


def fit(line: int, cells: list[str], width: int) -> Record:
    """Return a record of exactly `width` cells; empty cells beyond the header are forgiven."""
    if len(cells) > width and not any(cells[width:]):
        cells = cells[:width]
    if len(cells) != width:
        return bad(line, "width", found=len(cells), expected=width)
    return Record(line, cells)
