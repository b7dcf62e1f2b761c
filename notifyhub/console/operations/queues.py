"""The queues: what waits, since when, what comes in and what goes out."""

from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifyhub.console.operations.reading import Hour, rows
from notifyhub.messaging.models import SendTally

# Waiting rows are summed from the batches, of which there is one per 500 messages: never a ledger scan.
_QUEUES = """
SELECT b.priority, coalesce(sum(CASE WHEN b.ids IS NULL THEN b.hi - b.cursor ELSE cardinality(b.ids) END), 0),
       min(b.not_before) FILTER (WHERE b.state = 0), count(*) FILTER (WHERE b.state = 1)
FROM messaging_batch b JOIN messaging_dispatch d ON d.id = b.dispatch_id
WHERE b.state IN (0, 1) AND b.not_before <= now() AND d.state IN ('running', 'cancelling')
GROUP BY b.priority
"""
_HOUSE = """
SELECT count(*), min(created_at) FROM staff_job WHERE state = 'waiting'
"""

NAMES = {
    "realtime": gettext_lazy("realtime"),
    "bulk": gettext_lazy("bulk"),
    "housekeeping": gettext_lazy("housekeeping"),
}
WORDS = {
    "realtime": gettext_lazy("codes, orders, replies"),
    "bulk": gettext_lazy("campaigns, reminders"),
    "housekeeping": gettext_lazy("ticks, imports, receipts"),
}
# How long something due may lie before the dot changes colour.
PATIENCE = {
    "realtime": timedelta(seconds=3),
    "bulk": timedelta(minutes=10),
    "housekeeping": timedelta(minutes=2),
}


def read_queues(now: datetime, hour: Hour, workers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the three queues; two queries."""
    found = {row[0]: row for row in rows(_QUEUES)}
    queues = []
    for code, queue in enumerate(("realtime", "bulk")):
        _code, waiting, oldest, _leased = found.get(code, (code, 0, None, 0))
        samples = hour.by_queue.get((code, SendTally.WAITING), [0] * 60)
        out = hour.rate(hour.by_queue.get((code, "sent")))
        # What came in is what went out and what has been added to the pile.
        added = (int(waiting) - samples[-2]) / hour.seconds
        queues.append(_queue(queue, int(waiting), oldest, now, workers, samples, max(0.0, out + added), out))
    waiting, oldest = rows(_HOUSE)[0]
    queues.append(_queue("housekeeping", waiting, oldest, now, workers, None, None, None))
    return queues


def _queue(
    name: str,
    waiting: int,
    oldest: datetime | None,
    now: datetime,
    workers: list[dict[str, Any]],
    samples: list[int] | None,
    into: float | None,
    out: float | None,
) -> dict[str, Any]:
    age = now - oldest if oldest and waiting else None
    serving = sum(
        one["processes"] for one in workers if name in one["codes"] and not one["silent"] and not one["halt"]
    )
    if not serving:
        drained = any(name in one["codes"] and one["halt"] for one in workers)
        tone, state = "red", _("every worker is drained") if drained else _("no worker")
    elif age and age > PATIENCE[name]:
        tone, state = "orange", _("behind")
    else:
        tone, state = "green", _("served")
    return {
        "code": name,
        "name": NAMES[name],
        "words": WORDS[name],
        "waiting": waiting,
        "age": age,
        "in": into,
        "out": out,
        "serving": serving,
        "samples": samples,
        "tone": tone,
        "state": state,
    }
