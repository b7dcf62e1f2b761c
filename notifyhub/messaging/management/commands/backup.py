"""The whole database in one file."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from notifyhub.core.errors import Refused
from notifyhub.messaging.backup import make_backup


class Command(BaseCommand):
    """Write a backup; everything may go on meanwhile."""

    help = (
        "Write the whole database to FILE, which must not exist. It contains personal data: it is readable "
        "by its owner only, and the keys that open its encrypted fields (FIELD_KEYS) are not in it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        path = options["file"].absolute()
        try:
            manifest = make_backup(path=path, tell=self.stderr.write)
        except Refused as refusal:
            raise CommandError(str(refusal)) from None
        self.stdout.write(
            f"{path}: {manifest.size:,} bytes, made at {manifest.created_at}, read back and whole."
        )
