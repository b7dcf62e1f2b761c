"""The first administrator of an empty house."""

import json
from typing import Any

from django.core.management.base import BaseCommand

from notifyhub.staff.services.people import create_first_administrator


class Command(BaseCommand):
    """Create "admin" with a random password if there is no superuser; print both as one line of JSON."""

    help = "Create the first administrator if there is none; prints one line of JSON only when it did."

    def handle(self, *args: Any, **options: Any) -> None:
        created = create_first_administrator()
        if created is not None:
            user, password = created
            self.stdout.write(json.dumps({"username": user.username, "password": password}))
