"""Import customers from a CSV or XLSX file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.management.progress import ProgressLine
from notifyhub.customers.models import CustomerImport
from notifyhub.customers.services.importing.columns import check_mapping, guess_mapping, map_by_hand
from notifyhub.customers.services.importing.plans import ConsentPlan, ImportPlan, find_list, plan_consent
from notifyhub.customers.services.importing.previews import check_file
from notifyhub.customers.services.importing.problems import problem_lines
from notifyhub.customers.services.importing.running import begin_import, run_import
from notifyhub.customers.services.importing.tables import open_table


class Command(BaseCommand):
    """Streams the file in chunks; killed and started again, it goes on where it stopped."""

    help = "Import customers from a CSV or XLSX file; killed and run again, it goes on where it stopped."

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
            help="column by name or #number; field as external_id, phone, attribute:level, or - to leave out",
        )
        parser.add_argument("--consent", default="", metavar="TOPIC:CHANNEL[,…]")
        parser.add_argument("--consent-source", default="")
        parser.add_argument("--consent-date", default="", metavar="YYYY-MM-DD")
        parser.add_argument("--proof", default="", help="where the proof of consent is kept")
        parser.add_argument("--wording", default="", help="what the customers agreed to")
        parser.add_argument("--policy-version", default="")
        parser.add_argument("--list", default="", help="also put them on this static list (name or number)")
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
        plan = ImportPlan(
            mapping=tuple(mapping),
            encoding=table.encoding,
            delimiter=table.delimiter,
            consent=self._consent(options),
            list_id=find_list(name=options["list"]) if options["list"] else None,
        )
        if options["dry_run"]:
            self._report_check(path, plan)
            return
        if plan.consent is None:
            self.stderr.write(_("No consent is recorded: nobody gets promotions because of this file."))
        run = begin_import(path=path, file_name=path.name, plan=plan)
        if run.path != str(path):
            CustomerImport.objects.filter(pk=run.pk).update(path=str(path))
        if run.cursor:
            self.stderr.write(_("Going on after row %d.") % run.cursor)
        run = run_import(run_id=run.pk, progress=ProgressLine(self.stderr, run.cursor))
        self._report(run, options["errors"])

    def _consent(self, options: dict[str, Any]) -> ConsentPlan | None:
        if not options["consent"]:
            return None
        grants = []
        for item in options["consent"].split(","):
            topic, colon, channel = item.strip().partition(":")
            if not colon:
                raise Refused(_("Write a consent as TOPIC:CHANNEL, not “%s”.") % item)
            grants.append((topic, channel))
        return plan_consent(
            grants=grants,
            source=options["consent_source"],
            given_on=options["consent_date"],
            proof=options["proof"],
            wording=options["wording"],
            policy_version=options["policy_version"],
        )

    def _report_check(self, path: Path, plan: ImportPlan) -> None:
        check = check_file(path, plan)
        self.stdout.write(
            _("%(good)d rows can be imported (%(created)d new, %(known)d known customers), %(bad)d cannot.")
            % {"good": check.good, "created": check.created, "known": check.known, "bad": check.bad}
        )

    def _report(self, run: CustomerImport, errors: Path | None) -> None:
        self.stdout.write(
            _(
                "%(created)d created, %(updated)d changed, %(unchanged)d unchanged, %(duplicates)d repeated, "
                "%(bad)d not taken, %(consents)d consents recorded, %(kept)d opt-outs kept."
            )
            % {
                "created": run.created,
                "updated": run.updated,
                "unchanged": run.unchanged,
                "duplicates": run.duplicates,
                "bad": run.bad,
                "consents": run.consents,
                "kept": run.opt_outs_kept,
            }
        )
        if errors is not None:
            with errors.open("w", encoding="utf-8", newline="") as file:
                for text in problem_lines(run):
                    file.write(text)
        elif run.bad:
            self.stdout.write(_("Add --errors FILE to get the rows that were not taken."))
