"""Fill an empty database with a believable platform: people, customers, campaigns, cases."""

import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from notifyhub.core.registry import demo_loaders
from notifyhub.staff.demo import PASSWORD, is_loaded


class Command(BaseCommand):
    help = "Load the demo data into an empty database. Refuses in production and on a second call."

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("The demo has people with a known password; production refuses it.")
        if is_loaded():
            self.stdout.write("The demo is here already; nothing was changed.")
            return
        for name, load in demo_loaders.items():
            started = time.monotonic()
            load(lambda text: self.stdout.write(f"  {text}"))
            # Fresh tables have no statistics, and plans made without them are slow.
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")
            self.stdout.write(f"Demo: {name} ({time.monotonic() - started:.1f} s)")
        self.stdout.write(f"Demo people sign in with their name and the password {PASSWORD}")
