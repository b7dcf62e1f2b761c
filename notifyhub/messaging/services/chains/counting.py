"""How far each step of a dispatch is, from its batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from notifyhub.messaging.models import Dispatch
from notifyhub.messaging.services.chains.wording import describe_chain

_STEPS = """
SELECT b.channel,
       coalesce(sum(b.hi - b.lo + 1) FILTER (WHERE b.ids IS NULL), 0)::bigint AS messages,
       coalesce(sum(b.hi - b.lo + 1) FILTER (WHERE b.ids IS NULL AND NOT b.chained), 0)::bigint AS began,
       sum(b.sent)::bigint AS sent, sum(b.delivered)::bigint AS delivered, sum(b.failed)::bigint AS failed,
       sum(b.skipped)::bigint AS skipped, sum(b.unknown)::bigint AS unknown,
       (sum(b.expired) + sum(b.cancelled) + sum(b.gathered))::bigint AS dropped,
       count(b.check_at) AS checks_open, min(b.check_at) AS next_check_at
FROM messaging_batch b WHERE b.dispatch_id = %s GROUP BY b.channel
"""


@dataclass(frozen=True, kw_only=True)
class StepCounts:
    """One step: messages = sent + failed + skipped + unknown + dropped + open; delivered is part of sent.

    For `began` of them it was the first: no step before could reach them. `checks_open` of its batches wait
    for a look, the first until `next_check_at`. `sentence` says when the next step follows.
    """

    number: int
    channel: str
    label: str
    sentence: str
    messages: int = 0
    began: int = 0
    sent: int = 0
    delivered: int = 0
    failed: int = 0
    skipped: int = 0
    unknown: int = 0
    dropped: int = 0
    checks_open: int = 0
    next_check_at: datetime | None = None

    @property
    def open(self) -> int:
        """Return how many messages are not in a final state yet."""
        ended = self.sent + self.failed + self.skipped + self.unknown + self.dropped
        return self.messages - ended


def steps_of(dispatch: Dispatch) -> list[StepCounts]:
    """Return the steps of the chain with their counts, from one statement; without counts where nothing is
    planned."""
    with connection.cursor() as cursor:
        cursor.execute(_STEPS, [dispatch.pk])
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return [
        StepCounts(**vars(words), **_counts(rows, words.channel)) for words in describe_chain(dispatch.chain)
    ]


def _counts(rows: Sequence[dict[str, Any]], channel: str) -> dict[str, Any]:
    # A channel stands in a chain once, and batches from before the steps were counted know only theirs.
    mine = next((row for row in rows if row["channel"] == channel), {})
    return {name: value for name, value in mine.items() if name != "channel"}
