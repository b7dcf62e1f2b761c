"""How far a dispatch is, in numbers that close: messages and people apart."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from notifyhub.messaging.engine.counts import COLUMNS, Counts, count_dispatches
from notifyhub.messaging.engine.reach import Reach, reach_of
from notifyhub.messaging.engine.waiting import Waiting, count_waiting
from notifyhub.messaging.models import Dispatch


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Messages: planned = sent + failed + skipped + unknown + expired + cancelled + gathered + open;
    delivered is part of sent, and the gathered ones go in digests, which are dispatches of their own.
    People: people = reached + not_reached + people_open; reached got at least one message.

    `rate_per_second` and `ends_at` are None while nothing is being sent. `waiting` of the open ones wait for
    the end of quiet hours, the first until `waits_from`, the last until `waits_until`. `checks_open` batches
    wait for a look whether a next step is needed, the first until `next_check_at`.
    """

    planned: int
    sent: int
    delivered: int
    failed: int
    skipped: int
    unknown: int
    expired: int
    cancelled: int
    gathered: int
    open: int
    people: int
    reached: int
    not_reached: int
    people_open: int
    checks_open: int
    next_check_at: datetime | None
    by_reason: dict[str, int]
    rate_per_second: float | None
    ends_at: datetime | None
    waiting: int = 0
    waits_from: datetime | None = None
    waits_until: datetime | None = None


def progress(*, dispatch_id: int) -> Progress:
    """Return the live counts of a dispatch, from its batches; raises Dispatch.DoesNotExist."""
    dispatch = Dispatch.objects.get(pk=dispatch_id)
    ended = dispatch.state in (Dispatch.State.FINISHED, Dispatch.State.CANCELLED)
    counts = count_dispatches([dispatch_id]).get(dispatch_id)
    if counts is None:
        counts = _kept(dispatch)
        reach = _kept_reach(dispatch, counts)
    else:
        reach = reach_of(dispatch_id, counts, ended=ended)
    rate = ends_at = None
    waiting = count_waiting(dispatch_id) if counts.open else Waiting()
    if dispatch.state == Dispatch.State.RUNNING and dispatch.rate and counts.open > waiting.rows:
        rate = dispatch.rate
        if not waiting.rows:
            ends_at = timezone.now() + timedelta(seconds=counts.open / rate)
    return Progress(
        planned=counts.planned,
        **{name: getattr(counts, name) for name in COLUMNS},
        open=counts.open,
        people=reach.people,
        reached=reach.reached,
        not_reached=reach.not_reached,
        people_open=reach.open,
        checks_open=0 if ended else counts.checks_open,
        next_check_at=None if ended else counts.next_check_at,
        by_reason=counts.reasons,
        rate_per_second=rate,
        ends_at=ends_at,
        waiting=waiting.rows,
        waits_from=waiting.first,
        waits_until=waiting.last,
    )


def _kept(dispatch: Dispatch) -> Counts:
    """Return the counts on the dispatch's row, for one whose batches are gone."""
    numbers = {name: getattr(dispatch, name) for name in COLUMNS}
    people = dispatch.people or dispatch.planned
    return Counts(planned=dispatch.planned, people=people, reasons=dispatch.reasons, **numbers)


def _kept_reach(dispatch: Dispatch, counts: Counts) -> Reach:
    reached = dispatch.sent if dispatch.reached is None else dispatch.reached
    return Reach(people=counts.people, reached=min(reached, counts.people), open=0)
