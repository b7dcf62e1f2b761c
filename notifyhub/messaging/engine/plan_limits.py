"""The part of planning that looks at clocks and counters: when each zone may be written to, and who has
had enough already.

The counters are read as they stand; only the window reserves. So planning tells beforehand whom a limit
will stop, and the window is the truth.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from notifyhub.messaging.engine.limits import Limits
from notifyhub.messaging.engine.quiet import send_times, zone_of
from notifyhub.messaging.engine.respects import RESPECT_SQL, SUBJECT_DAYS, WEEK_DAYS
from notifyhub.messaging.models import Delivery

Reason = Delivery.Reason


@dataclass(frozen=True, kw_only=True)
class Clock:
    """When the people of a range may be written to over one channel, and what day it is for them then."""

    default_at: datetime
    default_day: date
    zones: tuple[str, ...] = ()
    times: tuple[datetime, ...] = ()
    days: tuple[date, ...] = ()


def clocks_of(
    limits: Sequence[Limits], *, due: datetime, zones: Iterable[str], send_at: datetime
) -> tuple[Clock, ...]:
    """Return the clock of each channel for those zones; what may leave when it is `due` keeps `send_at`."""
    known = ["", *sorted(set(zones))]
    return tuple(_clock(one, due=due, zones=known, send_at=send_at) for one in limits)


def _clock(limits: Limits, *, due: datetime, zones: list[str], send_at: datetime) -> Clock:
    found = send_times(due, zones, quiet=limits.quiet, closed=limits.closed if limits.has_clock else ())
    days = [found[name].astimezone(zone_of(name)).date() for name in zones]
    times = [send_at if found[name] == due else found[name] for name in zones]
    return Clock(
        default_at=times[0],
        default_day=days[0],
        zones=tuple(zones[1:]),
        times=tuple(times[1:]),
        days=tuple(days[1:]),
    )


def clock_join(place: int, clock: Clock, params: dict[str, Any]) -> tuple[str, str, str]:
    """Return (join, send time, day) for the channel at `place` over people `p`."""
    params |= {
        f"zones_{place}": list(clock.zones),
        f"times_{place}": list(clock.times),
        f"days_{place}": list(clock.days),
        f"time_{place}": clock.default_at,
        f"day_{place}": clock.default_day,
    }
    join = (
        f"LEFT JOIN unnest(%(zones_{place})s::text[], %(times_{place})s::timestamptz[], "
        f"%(days_{place})s::date[]) z_{place}(zone, send_at, day) ON z_{place}.zone = p.time_zone"
    )
    send_at = f"coalesce(z_{place}.send_at, %(time_{place})s::timestamptz)"
    day = f"coalesce(z_{place}.day, %(day_{place})s::date)"
    return join, send_at, day


def limit_joins(
    place: int, limits: Limits, clock: Clock, ranged: str, params: dict[str, Any], *, subjects: bool
) -> tuple[list[str], list[str]]:
    """Return the joins and WHEN branches for those who have had enough already.

    `ranged` repeats the range for the counters; `subjects` says whether the people have a subject.
    """
    joins: list[str] = []
    cases: list[str] = []
    clock_sql = clock_join(place, clock, params)
    latest = max((clock.default_day, *clock.days))
    earliest = min((clock.default_day, *clock.days))
    params[f"until_{place}"] = latest + timedelta(days=1)
    if limits.has_subject and subjects:
        params[f"subject_since_{place}"] = earliest - timedelta(days=SUBJECT_DAYS)
        respect = RESPECT_SQL.format(text="'subject:' || p.subject_ref")
        joins.append(
            _counted(
                "subject",
                clock_sql,
                respect,
                f"subject_since_{place}",
                place,
                SUBJECT_DAYS,
                ranged,
                subject=respect,
                where="AND p.subject_ref <> ''",
            )
        )
        cases += _subject_cases(limits, clock_sql[1], place, params)
    params[f"week_since_{place}"] = earliest - timedelta(days=WEEK_DAYS)
    for number, cap in enumerate(limits.caps):
        name = f"cap_{number}"
        joins.append(
            _counted(name, clock_sql, str(cap.respect), f"week_since_{place}", place, WEEK_DAYS, ranged)
        )
        where = f" channel={cap.channel}" if cap.channel else ""
        if cap.day is not None:
            found = f"'{Reason.CAP_DAY} used=' || {name}.on_day || ' limit={cap.day}{where}'"
            cases.append(f"WHEN {name}.on_day >= {cap.day} THEN {found}")
        if cap.week is not None:
            found = (
                f"'{Reason.CAP_WEEK} used=' || {name}.within || ' limit={cap.week} days={WEEK_DAYS}{where}'"
            )
            cases.append(f"WHEN {name}.within >= {cap.week} THEN {found}")
    return joins, cases


def _counted(
    name: str,
    clock: tuple[str, str, str],
    respect: str,
    since: str,
    place: int,
    days: int,
    ranged: str,
    *,
    subject: str = "0",
    where: str = "",
) -> str:
    join, _send_at, day = clock
    return f"""LEFT JOIN (
        SELECT p.dedup_key, sum(n.used) FILTER (WHERE n.day = {day}) AS on_day, sum(n.used) AS within,
               max(n.at) AS last_at
        FROM people p {join}
        JOIN messaging_sendcount n ON n.customer_id = p.customer_id AND n.subject = {subject}
            AND n.respect = {respect}
            AND n.day >= %({since})s::date AND n.day <= %(until_{place})s::date
            AND n.day > {day} - {days} AND n.used > 0 {ranged} {where}
        GROUP BY p.dedup_key) {name} ON {name}.dedup_key = p.dedup_key"""


def _subject_cases(limits: Limits, send_at: str, place: int, params: dict[str, Any]) -> list[str]:
    cases = []
    if limits.gap_hours is not None:
        params[f"gap_{place}"] = timedelta(hours=limits.gap_hours)
        last = "to_char(subject.last_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
        cases.append(
            f"WHEN greatest({send_at}, statement_timestamp()) < subject.last_at + %(gap_{place})s::interval "
            f"THEN '{Reason.SUBJECT_GAP} last=' || {last} || ' hours={limits.gap_hours}'"
        )
    if limits.subject_max is not None:
        cases.append(
            f"WHEN subject.within >= {limits.subject_max} THEN '{Reason.SUBJECT_MAX} used=' || "
            f"subject.within || ' limit={limits.subject_max} days={SUBJECT_DAYS}'"
        )
    return cases
