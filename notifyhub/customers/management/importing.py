"""What the commands that import a file share."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.management.progress import ProgressLine
from notifyhub.customers.models import CustomerImport
from notifyhub.customers.services.importing.importer import Importer
from notifyhub.customers.services.importing.plans import ImportPlan
from notifyhub.customers.services.importing.previews import Check
from notifyhub.customers.services.importing.problems import problem_lines
from notifyhub.customers.services.importing.tables import open_table
from notifyhub.customers.services.importing.vocabulary import map_by_hand


class ImportCommand(BaseCommand):
    """Streams the file in chunks; killed and started again, it goes on where it stopped."""

    importer: Importer[Any]
    map_example = ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--encoding", default="", help="utf-8, gb18030, utf-16-le or utf-16-be")
        parser.add_argument("--delimiter", default="", help="comma, tab or semicolon")
        parser.add_argument(
            "--map",
            nargs="*",
            action="extend",
            default=[],
            metavar="COLUMN=FIELD",
            help=f"column by name or #number; field as {self.map_example}, or - to leave out",
        )
        self.add_decisions(parser)
        parser.add_argument("--errors", type=Path, help="write the rows that were not taken to this CSV")
        parser.add_argument("--dry-run", action="store_true", help="read and check, write nothing")

    def add_decisions(self, parser: ArgumentParser) -> None:
        """Add the arguments that this kind of row needs besides."""

    def decisions(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return what those arguments put into the plan."""
        return {}

    def check_text(self, check: Check) -> str:
        """Return the sentence of a dry run."""
        return ""

    def warn(self, plan: ImportPlan) -> None:
        """Say what should be known before the first row is written."""

    def result_text(self, run: CustomerImport) -> str:
        """Return the sentence at the end."""
        return ""

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._import(options)
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal

    def _import(self, options: dict[str, Any]) -> None:
        path = options["file"].resolve()
        plan = self._plan(path, options)
        if options["dry_run"]:
            self.stdout.write(self.check_text(self.importer.check_file(path, plan)))
            return
        self.warn(plan)
        run = self.importer.begin_import(path=path, file_name=path.name, plan=plan)
        if run.path != str(path):
            CustomerImport.objects.filter(pk=run.pk).update(path=str(path))
        if run.cursor:
            self.stderr.write(_("Going on after row %d.") % run.cursor)
        run = self.importer.run_import(run_id=run.pk, progress=ProgressLine(self.stderr, run.cursor))
        self.stdout.write(self.result_text(run))
        self._write_problems(run, options["errors"])

    def _plan(self, path: Path, options: dict[str, Any]) -> ImportPlan:
        table = open_table(path, encoding=options["encoding"], delimiter=options["delimiter"])
        choices = {}
        for item in options["map"]:
            column, equals, field = item.rpartition("=")
            if not equals:
                raise Refused(_("Write a mapping as COLUMN=FIELD, not “%s”.") % item)
            choices[column] = field
        vocabulary = self.importer.vocabulary
        mapping = map_by_hand(table.header, vocabulary.guess_mapping(table.header), choices)
        vocabulary.check_mapping(table.header, mapping)
        for name, field in zip(table.header, mapping, strict=True):
            self.stderr.write(f"  {name} → {field or '-'}")
        return ImportPlan(
            tuple(mapping), encoding=table.encoding, delimiter=table.delimiter, **self.decisions(options)
        )

    def _write_problems(self, run: CustomerImport, errors: Path | None) -> None:
        if errors is not None:
            with errors.open("w", encoding="utf-8", newline="") as file:
                file.writelines(problem_lines(run, label=self.importer.vocabulary.label_of))
        elif run.bad:
            self.stdout.write(_("Add --errors FILE to get the rows that were not taken."))
