"""Running the import command in tests."""

from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command
from openpyxl import Workbook

from notifyhub.customers.models import CustomerImport


def run_command(path: Path, *arguments: str) -> CustomerImport:
    """Import `path` by the command; return the run."""
    call_command("import_customers", str(path), *arguments, stdout=StringIO(), stderr=StringIO())
    return CustomerImport.objects.order_by("-id")[0]


def write(path: Path, text: str | bytes, encoding: str = "utf-8") -> Path:
    """Write a file and return its path."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def write_sheet(path: Path, rows: list[list[Any]]) -> Path:
    """Write a workbook and return its path."""
    book = Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def problems(run: CustomerImport) -> list[tuple[int, str, str]]:
    """Return (line, column, code) of what was not taken."""
    return list(run.problems.order_by("line", "id").values_list("line", "column", "code"))
