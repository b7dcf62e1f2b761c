"""A key for a program."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from notifyhub.core.errors import Refused
from notifyhub.staff.scopes import SCOPES
from notifyhub.staff.services.api_keys import create_api_key


class Command(BaseCommand):
    """Create an API key and print its token, which nothing can show again."""

    help = "Create an API key; prints its token once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what the key is for")
        parser.add_argument(
            "--scopes", required=True, nargs="+", help=f"parted by commas or blanks: {','.join(SCOPES)}"
        )
        parser.add_argument("--expires", type=int, metavar="DAYS", help="valid for so many days")

    def handle(self, *args: Any, **options: Any) -> None:
        scopes = [scope.strip() for scope in ",".join(options["scopes"]).split(",") if scope.strip()]
        days = options["expires"]
        if days is not None and not 0 < days <= 3650:
            raise CommandError("--expires takes 1 to 3650 days.")
        expires_at = None if days is None else timezone.now() + timedelta(days=days)
        if not 0 < len(options["name"]) <= 80:
            raise CommandError("The name takes 1 to 80 characters.")
        try:
            _key, token = create_api_key(name=options["name"], scopes=scopes, expires_at=expires_at)
        except Refused as refusal:
            raise CommandError(str(refusal)) from None
        self.stdout.write(token)
