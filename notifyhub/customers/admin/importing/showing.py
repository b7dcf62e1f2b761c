"""A draft as its pages show it."""

from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifyhub.core.errors import Refused
from notifyhub.customers.models import CustomerImport
from notifyhub.customers.services.importing.columns import ATTRIBUTE, FIELDS, label_of, meaning_of
from notifyhub.customers.services.importing.plans import ImportPlan
from notifyhub.customers.services.importing.previews import SMALL_FILE_BYTES, Check, Sample, check_file
from notifyhub.customers.services.importing.problems import reason_of
from notifyhub.customers.services.importing.reading import read_row
from notifyhub.customers.services.upsert import RowProblem

CHECKED_ROWS = 5000
DELIMITER_LABELS = {",": gettext_lazy("Comma"), "\t": gettext_lazy("Tab"), ";": gettext_lazy("Semicolon")}


def check_draft(run: CustomerImport, plan: ImportPlan) -> Check | None:
    """Return what an import would do: of the whole file if it is small, else of its first rows."""
    source = Path(run.path)
    limit = None if source.stat().st_size <= SMALL_FILE_BYTES else CHECKED_ROWS
    try:
        return check_file(source, plan, limit=limit, keep=20)
    except Refused:
        return None


def columns_of(sample: Sample, mapping: list[str]) -> list[dict[str, Any]]:
    """Return each column with what it means and what it could mean."""
    columns = []
    for place, name in enumerate(sample.header):
        chosen = mapping[place] if place < len(mapping) else ""
        meaning = meaning_of(name)
        key = meaning.removeprefix(ATTRIBUTE) if meaning.startswith(ATTRIBUTE) else name[:60]
        choices = [("", _("Leave out")), *((field, str(label)) for field, label in FIELDS.items())]
        own = chosen if chosen.startswith(ATTRIBUTE) else ATTRIBUTE + (key or f"column_{place + 1}")
        choices.append((own, label_of(own)))
        columns.append({"place": place, "name": name, "chosen": chosen, "choices": choices})
    return columns


def shown_rows(sample: Sample, mapping: list[str]) -> list[dict[str, Any]]:
    """Return the first rows as understood; phone and email masked like everywhere."""
    shown = []
    for record in sample.records:
        row = read_row(record, mapping) if len(mapping) == len(sample.header) else None
        if isinstance(row, RowProblem):
            shown.append({"line": record.line, "cells": [], "problem": in_words(row)})
            continue
        cells = list(record.cells)
        for place, field in enumerate(mapping):
            if row is not None and field in row.contacts:
                cells[place] = row.contacts[field].masked
        shown.append({"line": record.line, "cells": cells, "problem": None})
    return shown


def in_words(problem: RowProblem) -> tuple[int, str, str, str]:
    """Return line, column, masked value and reason for the reader."""
    column = label_of(problem.column) if problem.column else ""
    return problem.line, column, problem.value, reason_of(problem.code, problem.params)
