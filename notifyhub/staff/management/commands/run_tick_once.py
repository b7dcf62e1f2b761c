"""One tick by hand."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from notifyhub.core.registry import ticks
from notifyhub.staff.models import TickLease
from notifyhub.staff.services.ticks import run_due_ticks


class Command(BaseCommand):
    """Run every tick once, due or not, and print what each did as one line of JSON."""

    help = "Run every tick once (those that another process runs at this moment are left to it), then exit."

    def handle(self, *args: Any, **options: Any) -> None:
        did = run_due_ticks(due_or_not=True)
        self.stdout.write(json.dumps(did))
        names = [name for name, _tick in ticks.items() if name not in did]
        failed = TickLease.objects.filter(name__in=names).exclude(error="").values_list("name", flat=True)
        if failed:
            raise CommandError(f"These ticks failed: {', '.join(failed)}. The log says why.")
