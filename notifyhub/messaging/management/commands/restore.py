"""A backup becomes the database."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from notifyhub.core.errors import Refused
from notifyhub.messaging.backup import restore_backup


class Command(BaseCommand):
    """Load a backup; what was overdue is held back until somebody decides on the operations page."""

    help = (
        "Load FILE into the database that DATABASE_URL names: an empty one, or any with --replace. Stop web, "
        "workers and beat first. Nothing that was due before leaves until an operator says so."
    )
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--replace", action="store_true", help="lose what the database holds now")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            overdue = restore_backup(
                path=options["file"].absolute(), replace=options["replace"], tell=self.stderr.write
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from None
        self.stdout.write(
            f"Restored. {overdue:,} messages were due before and wait for a decision on the operations page; "
            "what is new is sent."
        )
