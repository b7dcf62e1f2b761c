"""Import events from a CSV or XLSX file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.management.progress import ProgressLine
from notifyhub.customers.models import CustomerImport
from notifyhub.customers.services.events.importing.columns import check_mapping, guess_mapping, label_of
from notifyhub.customers.services.events.importing.running import begin_import, check_file, run_import
from notifyhub.customers.services.importing.columns import map_by_hand
from notifyhub.customers.services.importing.plans import ImportPlan
from notifyhub.customers.services.importing.problems import problem_lines
from notifyhub.customers.services.importing.tables import open_table


class Command(BaseCommand):
    """Streams the file in chunks; killed and started again, it goes on where it stopped."""

    help = "Import events from a CSV or XLSX file; killed and run again, it goes on where it stopped."

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
            help="column by name or #number; field as name, occurred_at, property:city, or - to leave out",
        )
        parser.add_argument("--errors", type=Path, help="write the rows that were not taken to this CSV")
        parser.add_argument("--dry-run", action="store_true", help="read and check, write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._import(options)
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal

    def _import(self, options: dict[str, Any]) -> None:
        path = options["file"].resolve()
        table = open_table(path, encoding=options["encoding"], delimiter=options["delimiter"])
        choices = {}
        for item in options["map"]:
            column, equals, field = item.rpartition("=")
            if not equals:
                raise Refused(_("Write a mapping as COLUMN=FIELD, not “%s”.") % item)
            choices[column] = field
        mapping = map_by_hand(table.header, guess_mapping(table.header), choices)
        check_mapping(table.header, mapping)
        for name, field in zip(table.header, mapping, strict=True):
            self.stderr.write(f"  {name} → {field or '-'}")
        plan = ImportPlan(mapping=tuple(mapping), encoding=table.encoding, delimiter=table.delimiter)
        if options["dry_run"]:
            check = check_file(path, plan)
            self.stdout.write(
                _("%(good)d rows can be imported, %(bad)d cannot.") % {"good": check.good, "bad": check.bad}
            )
            return
        run = begin_import(path=path, file_name=path.name, plan=plan)
        if run.path != str(path):
            CustomerImport.objects.filter(pk=run.pk).update(path=str(path))
        if run.cursor:
            self.stderr.write(_("Going on after row %d.") % run.cursor)
        run = run_import(run_id=run.pk, progress=ProgressLine(self.stderr, run.cursor))
        self._report(run, options["errors"])

    def _report(self, run: CustomerImport, errors: Path | None) -> None:
        self.stdout.write(
            _(
                "%(created)d events taken, %(duplicates)d known before, %(parked)d parked, %(bad)d not "
                "taken, %(people)d customers created."
            )
            % {name: getattr(run, name) for name in ("created", "duplicates", "parked", "bad", "people")}
        )
        if errors is not None:
            with errors.open("w", encoding="utf-8", newline="") as file:
                for text in problem_lines(run, label=label_of):
                    file.write(text)
        elif run.bad:
            self.stdout.write(_("Add --errors FILE to get the rows that were not taken."))
