"""Is the audit trail what was written?"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from notifyhub.staff.models import AuditEntry
from notifyhub.staff.services.sealing import verify_chain

PROBLEMS = {
    "gap": "Broken at place {place}: the link is missing.",
    "missing": "Broken at place {place}: audit entry {entry} is gone.",
    "altered": "Broken at place {place}: audit entry {entry} was altered after it was sealed.",
}


class Command(BaseCommand):
    """Walk the hash chain; print its head, or the first broken link and exit with 1."""

    help = "Verify the audit trail's hash chain; exit 1 at the first altered, missing or cut-out entry."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--anchor",
            action="append",
            default=[],
            metavar="PLACE:DIGEST",
            help="a head printed by an earlier run and kept elsewhere; proves that nothing was cut off since",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        verdict = verify_chain(anchors=dict(self._anchor(text) for text in options["anchor"]))
        if verdict.problem:
            sentence = PROBLEMS[verdict.problem].format(place=verdict.place, entry=verdict.entry_id)
            raise CommandError(f"{sentence} The {verdict.checked} before it hold.")
        waiting = AuditEntry.objects.filter(link=None).count()
        self.stdout.write(
            f"{verdict.checked} entries hold, {waiting} wait to be sealed. "
            f"Head: {verdict.place}:{verdict.digest.hex()}"
        )

    def _anchor(self, text: str) -> tuple[int, bytes]:
        place, _colon, digest = text.partition(":")
        try:
            return int(place), bytes.fromhex(digest)
        except ValueError:
            raise CommandError(f"“{text}” is not PLACE:DIGEST as this command prints it.") from None
