"""Say what is wrong with this installation, if anything."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from notifyhub.staff.services.health import examine, is_well, report_of

MARKS = {"ok": "ok     ", "warning": "warning", "error": "WRONG  "}


class Command(BaseCommand):
    """Print one sentence per check, or JSON; exit with 1 when something is wrong."""

    help = "Check database, broker, migrations, beat, workers and queues; exit 1 when something is wrong."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = examine()
        if options["json"]:
            self.stdout.write(json.dumps(report_of(findings), ensure_ascii=False, default=str))
        else:
            for name, found in findings.items():
                self.stdout.write(f"{MARKS[found.level]}  {name}: {found.message}")
        if not is_well(findings):
            sys.exit(1)
