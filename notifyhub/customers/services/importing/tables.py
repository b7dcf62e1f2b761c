"""A file of rows, whatever its kind, opened as a header and a stream of records."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.services.importing.delimited import Delimited
from notifyhub.customers.services.importing.records import Record
from notifyhub.customers.services.importing.sniffing import clean_delimiter, clean_encoding
from notifyhub.customers.services.importing.workbook import Workbook

_OLD_EXCEL = bytes.fromhex("d0cf11e0a1b11ae1")


class Table(Protocol):
    """What both kinds of files offer."""

    kind: str
    encoding: str
    delimiter: str
    header: list[str]

    def records(self) -> Iterator[Record]:
        """Yield the records below the header, the bad ones with their problem."""


@dataclass(frozen=True)
class Opened:
    """How a file was understood, for people."""

    kind: str
    encoding: str
    delimiter: str


def open_table(path: Path, *, encoding: str = "", delimiter: str = "") -> Table:
    """Return the file as a table; raise Refused if it is none, saying what to do about it."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise Refused(_("The file cannot be read: %s") % (error.strerror or error), field="file") from error
    if not head:
        raise Refused(_("The file is empty."), field="file")
    if head == _OLD_EXCEL:
        raise Refused(
            _("This is an old or protected Excel file. Save it as XLSX or CSV without a password."),
            field="file",
        )
    if head.startswith(b"PK"):
        return Workbook(path)
    return Delimited(
        path,
        encoding=clean_encoding(encoding) if encoding else "",
        delimiter=clean_delimiter(delimiter) if delimiter else "",
    )
