"""News from messaging; each is a hint, the tick comes by anyway."""

from typing import Any

from campaigns.models import Run
from campaigns.services.runs import mirror_run, note_minute
from notifyhub.messaging.signals import dispatch_finished


def follow_finished(dispatch_id: int, **kwargs: Any) -> None:
    """Close the run of a dispatch that has ended."""
    for pk in Run.objects.open().filter(dispatch=dispatch_id).values_list("pk", flat=True):
        note_minute()
        mirror_run(run_id=pk)


def register() -> None:
    """Listen."""
    dispatch_finished.connect(follow_finished, dispatch_uid="campaigns.follow_finished")
