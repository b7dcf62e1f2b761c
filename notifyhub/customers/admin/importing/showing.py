"""A draft as its pages show it."""

from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifyhub.core.errors import Refused
from notifyhub.customers.models import CustomerImport
from notifyhub.customers.services.importing.importer import Importer
from notifyhub.customers.services.importing.plans import ImportPlan
from notifyhub.customers.services.importing.previews import SMALL_FILE_BYTES, Check, Sample
from notifyhub.customers.services.importing.problems import reason_of
from notifyhub.customers.services.importing.vocabulary import Vocabulary
from notifyhub.customers.services.upsert import RowProblem

CHECKED_ROWS = 5000
DELIMITER_LABELS = {",": gettext_lazy("Comma"), "\t": gettext_lazy("Tab"), ";": gettext_lazy("Semicolon")}


def check_draft(importer: Importer[Any], run: CustomerImport) -> Check | None:
    """Return what an import would do: of the whole file if it is small, else of its first rows."""
    source = Path(run.path)
    limit = None if source.stat().st_size <= SMALL_FILE_BYTES else CHECKED_ROWS
    try:
        return importer.check_file(source, ImportPlan.from_json(run.plan), limit=limit)
    except Refused:
        return None


def columns_of(sample: Sample, mapping: list[str], vocabulary: Vocabulary) -> list[dict[str, Any]]:
    """Return each column with what it means and what it could mean."""
    columns = []
    prefix = vocabulary.prefix
    for place, name in enumerate(sample.header):
        chosen = mapping[place] if place < len(mapping) else ""
        own = vocabulary.meaning_of(name)
        if chosen.startswith(prefix):
            own = chosen
        elif not own.startswith(prefix):
            own = prefix + (name[: vocabulary.key_length] or f"column_{place + 1}")
        choices = [("", _("Leave out")), *((field, str(label)) for field, label in vocabulary.fields.items())]
        choices.append((own, vocabulary.label_of(own)))
        columns.append({"place": place, "name": name, "chosen": chosen, "choices": choices})
    return columns


def shown_rows(importer: Importer[Any], sample: Sample, mapping: list[str]) -> list[dict[str, Any]]:
    """Return the first rows as understood, or what is wrong with them."""
    shown = []
    for record in sample.records:
        cells = importer.show_cells(record, mapping)
        if isinstance(cells, RowProblem):
            problem = in_words(cells, importer.vocabulary)
            shown.append({"line": record.line, "cells": [], "problem": problem})
        else:
            shown.append({"line": record.line, "cells": cells, "problem": None})
    return shown


def in_words(problem: Any, vocabulary: Vocabulary) -> tuple[int, str, str, str]:
    """Return line, column, masked value and reason of a problem, found or kept, for the reader."""
    reason = reason_of(problem.code, problem.params)
    return problem.line, vocabulary.label_of(problem.column), problem.value, reason
