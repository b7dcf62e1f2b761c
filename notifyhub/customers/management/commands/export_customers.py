"""Export customers to a CSV or XLSX file."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.services.exporting import export_customers
from notifyhub.staff.services import audit


class Command(BaseCommand):
    """Streams the customers; what it writes, the import reads back unchanged."""

    help = "Export customers to a CSV file, or XLSX by its name; phone and email are masked without --full."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--segment", type=int, help="the number of a segment; all customers without it")
        parser.add_argument("--full", action="store_true", help="write phone and email in full")

    def handle(self, *args: Any, **options: Any) -> None:
        path = options["file"]
        form = "xlsx" if path.suffix.lower() == ".xlsx" else "csv"
        try:
            exported = export_customers(
                path=path,
                form=form,
                segment_id=options["segment"],
                full=options["full"],
                progress=self._progress,
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        except OSError as error:
            raise CommandError(_("The file cannot be written: %s") % (error.strerror or error)) from error
        audit.record(
            verb="export_customers",
            object_type="customers.customer",
            rows=exported.rows,
            full=exported.full,
            segment=options["segment"],
        )
        self.stdout.write(_("%d customers written.") % exported.rows)

    def _progress(self, done: int, total: int | None) -> None:
        if sys.stderr.isatty():
            self.stderr.write(f"\r{done:,} / {total:,}".ljust(40), ending="\n" if done == total else "")
            self.stderr.flush()
