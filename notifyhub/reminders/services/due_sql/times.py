"""From an anchor and a step to the moment it is due, as SQL.

The hours of the rule come first, its working days after them: a time moved into the hours may land on a day
off, while a day moved keeps its time.
"""

from datetime import date, datetime, timedelta
from typing import Any

from notifyhub.reminders.models import RuleVersion
from notifyhub.staff.models import BusinessCalendar, CalendarDay

WEEKDAYS = (1, 2, 3, 4, 5)
# Days off are looked at this far around the day of planning. A date further away is moved when it comes
# near: rows are computed anew all along.
CALENDAR_BACK, CALENDAR_AHEAD = timedelta(days=800), timedelta(days=1500)
# No run of days off is longer; a calendar without any working day moves nothing.
LONGEST_REST = 60


def at_clock(local: str, zone: str) -> str:
    """Return the SQL of the moment when clocks in `zone` show `local` (a timestamp without zone).

    A time that daylight saving leaves out moves on by what is left out. Of one that comes twice it is the
    first; the database alone would take the second.
    """
    late = f"({local} AT TIME ZONE {zone})"
    before = f"({late} - interval '1 day')"
    offset = f"(({before} AT TIME ZONE {zone}) - ({before} AT TIME ZONE 'UTC'))"
    early = f"(({local} - {offset}) AT TIME ZONE 'UTC')"
    return (
        f"(CASE WHEN {early} < {late} AND ({early} AT TIME ZONE {zone}) = {local} "
        f"THEN {early} ELSE {late} END)"
    )


# Over the aliases a (anchor_at, zone) and s (a step's line): what the offset alone says, as the customer's
# clock shows it, and the exact moment if no clock was asked. OFFSET 0 keeps each stage computed once.
_WANTED = f"""
CROSS JOIN LATERAL (
    SELECT CASE WHEN s.unit <> 'days' THEN a.anchor_at + s.shift * ('1 ' || s.unit)::interval END AS exact
    OFFSET 0
) x
CROSS JOIN LATERAL (
    SELECT CASE WHEN s.unit = 'days'
        THEN date_trunc('day', a.anchor_at AT TIME ZONE a.zone) + s.shift * interval '1 day' + s.at_time
        ELSE x.exact AT TIME ZONE a.zone END + s.later * interval '1 day' AS clock
    OFFSET 0
) w
CROSS JOIN LATERAL (
    SELECT CASE WHEN x.exact IS NOT NULL AND s.later = 0 THEN x.exact
        ELSE {at_clock("w.clock", "a.zone")} END AS wanted_at
    OFFSET 0
) t
"""

# Forward into the hours of the rule. What would then come too late for something that goes before its date
# goes back instead, to the end of the hours before it.
_HOURS = """
CROSS JOIN LATERAL (SELECT {forward} AS forward, {back} AS back OFFSET 0) f
CROSS JOIN LATERAL (
    SELECT CASE WHEN s.before AND f.forward > w.clock AND {moment} > a.anchor_at
        THEN f.back ELSE f.forward END AS clock
    OFFSET 0
) h
"""
_IN_DAYTIME = {
    "forward": """CASE WHEN w.clock::time < %(send_from)s THEN w.clock::date + %(send_from)s::time
        WHEN w.clock::time > %(send_until)s THEN w.clock::date + 1 + %(send_from)s::time
        ELSE w.clock END""",
    "back": """CASE WHEN w.clock::time < %(send_from)s THEN w.clock::date - 1 + %(send_until)s::time
        WHEN w.clock::time > %(send_until)s THEN w.clock::date + %(send_until)s::time
        ELSE w.clock END""",
}
_OUTSIDE = "w.clock::time > %(send_until)s AND w.clock::time < %(send_from)s"
_OVER_MIDNIGHT = {
    "forward": f"CASE WHEN {_OUTSIDE} THEN w.clock::date + %(send_from)s::time ELSE w.clock END",
    "back": f"CASE WHEN {_OUTSIDE} THEN w.clock::date + %(send_until)s::time ELSE w.clock END",
}

# To the working day that the rule says, unless that is on the other side of the date: nobody is told today
# what was due yesterday, or that something is late which is not.
_DAYS = """
LEFT JOIN unnest(%(off_days)s::date[], %(off_to)s::date[], %(off_else)s::date[]) AS m (day, goes_to, else_to)
    ON m.day = {clock}::date
CROSS JOIN LATERAL (
    SELECT CASE WHEN m.goes_to IS NULL THEN {clock}
        WHEN s.before AND t.wanted_at <= a.anchor_at AND {moment} > a.anchor_at
            OR s.shift > 0 AND t.wanted_at >= a.anchor_at AND {moment} < a.anchor_at
        THEN m.else_to + {clock}::time
        ELSE m.goes_to + {clock}::time END AS clock,
        m.day IS NOT NULL AND m.goes_to IS NULL AS off
    OFFSET 0
) k
"""


def times_sql(version: RuleVersion, *, now: datetime) -> tuple[str, str, str, dict[str, Any]]:
    """Return (joins, due_at, off, params) over the aliases a and s.

    `due_at` is the SQL of the moment, `t.wanted_at` what the offset alone gives; `off` says that a day off
    leaves it out.
    """
    joins, clock, off = _WANTED, "w.clock", "false"
    params: dict[str, Any] = {}
    if version.send_from is not None and version.send_until is not None:
        daytime = version.send_from < version.send_until
        hours = _IN_DAYTIME if daytime else _OVER_MIDNIGHT
        joins += _HOURS.format(**hours, moment=at_clock("f.forward", "a.zone"))
        clock = "h.clock"
        params |= {"send_from": version.send_from, "send_until": version.send_until}
    if version.working_days:
        joins += _DAYS.format(clock=clock, moment=at_clock(f"(m.goes_to + {clock}::time)", "a.zone"))
        clock, off = "k.clock", "k.off"
        moves = day_moves(version, first=(now - CALENDAR_BACK).date(), last=(now + CALENDAR_AHEAD).date())
        params |= {
            "off_days": list(moves),
            "off_to": [move and move[0] for move in moves.values()],
            "off_else": [move and move[1] for move in moves.values()],
        }
    due = f"CASE WHEN {clock} = w.clock THEN t.wanted_at ELSE {at_clock(clock, 'a.zone')} END"
    return joins, due, off, params


def day_moves(version: RuleVersion, *, first: date, last: date) -> dict[date, tuple[date, date] | None]:
    """Return for each day off between the two where it goes, and where else; None where it is left out."""
    calendar = version.calendar or BusinessCalendar.objects.filter(default=True).first()
    weekdays = set(calendar.weekdays if calendar else WEEKDAYS)
    rest = timedelta(days=LONGEST_REST)
    said: dict[date, bool] = {}
    if calendar is not None:
        days = CalendarDay.objects.filter(calendar=calendar, day__range=(first - rest, last + rest))
        said = dict(days.values_list("day", "works"))

    def works(day: date) -> bool:
        return said.get(day, day.isoweekday() in weekdays)

    def nearest(day: date, step: timedelta) -> date:
        return next((day + n * step for n in range(1, LONGEST_REST) if works(day + n * step)), day)

    step = timedelta(days=-1 if version.off_day == RuleVersion.OffDay.BEFORE else 1)
    moves: dict[date, tuple[date, date] | None] = {}
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        day = date.fromordinal(ordinal)
        if works(day):
            continue
        left_out = version.off_day == RuleVersion.OffDay.SKIP
        moves[day] = None if left_out else (nearest(day, step), nearest(day, -step))
    return moves
