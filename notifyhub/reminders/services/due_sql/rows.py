"""The due times of a version's steps over its anchors."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from notifyhub.reminders.models import ReminderStep, RuleVersion
from notifyhub.reminders.services.due_sql.anchors import Anchors, anchors_of
from notifyhub.reminders.services.due_sql.times import times_sql

# What time zones, the hour of the day, send hours and days off can add to an offset, either way.
MARGIN = timedelta(days=3)
REST = timedelta(days=20)
_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2300, 1, 1, tzinfo=UTC)

_LINES = (
    "unnest(%(l_step)s::smallint[], %(l_round)s::smallint[], %(l_unit)s::text[], %(l_shift)s::int[], "
    "%(l_before)s::boolean[], %(l_time)s::time[], %(l_later)s::int[]) "
    "AS s (step, round, unit, shift, before, at_time, later)"
)


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Steps with their rounds, as parameters, and how far they reach before and after their date."""

    params: dict[str, Any]
    earliest: timedelta
    latest: timedelta


def lines_of(steps: Sequence[ReminderStep]) -> Lines:
    """Return one line for each round of each step."""
    lines = [(step, n) for step in steps for n in range(step.repeat_max)]
    shifts = [-step.amount if step.side == ReminderStep.Side.BEFORE else step.amount for step, _n in lines]
    later = [n * (step.repeat_days or 0) for step, n in lines]
    spans = [
        timedelta(**{step.unit: shift}) + timedelta(days=days)
        for (step, _n), shift, days in zip(lines, shifts, later, strict=True)
    ]
    return Lines(
        params={
            "l_step": [step.number for step, _n in lines],
            "l_round": [n for _step, n in lines],
            "l_unit": [step.unit for step, _n in lines],
            "l_shift": shifts,
            "l_before": [step.side == ReminderStep.Side.BEFORE and step.amount > 0 for step, _n in lines],
            "l_time": [step.at_time for step, _n in lines],
            "l_later": later,
        },
        earliest=min(spans),
        latest=max(spans),
    )


def reach_of(
    version: RuleVersion, lines: Lines, *, now: datetime, back: timedelta, ahead: timedelta
) -> tuple[datetime, datetime]:
    """Return between which anchors something can be due from `back` before now until `ahead` of it."""
    margin = MARGIN + (REST if version.working_days else timedelta())
    first, last = now - back - lines.latest - margin, now + ahead - lines.earliest + margin
    return max(first, _EARLIEST), min(last, _LATEST)


def due_rows(
    version: RuleVersion,
    lines: Lines,
    *,
    now: datetime | None = None,
    back: timedelta = timedelta(),
    ahead: timedelta = timedelta(),
    customer_ids: list[int] | None = None,
    anchors: Anchors | None = None,
) -> tuple[str, dict[str, Any]]:
    """Return (sql, params) of what the lines make due, for all or some customers, or for given `anchors`.

    The columns are those of the anchors with step, round, wanted_at, due_at and off (left out by a day off).
    A margin beyond the window is included: the caller bounds due_at.
    """
    now = now or timezone.now()
    if anchors is None:
        first, last = reach_of(version, lines, now=now, back=back, ahead=ahead)
        anchors = anchors_of(version, now=now, first=first, last=last, customer_ids=customer_ids)
    joins, due, off, params = times_sql(version, now=now)
    sql = f"""
        SELECT a.*, s.step, s.round, t.wanted_at, {due} AS due_at, {off} AS off
        FROM ({anchors.sql}) a
        CROSS JOIN {_LINES}
        {joins}"""
    return sql, {**anchors.params, **lines.params, **params}
