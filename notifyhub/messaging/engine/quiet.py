"""When a message may leave by the customer's own clock: quiet hours delay, they never drop.

Pure functions over zoneinfo, so that daylight saving is the time zone database's business and not ours.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings

# The code of an event that tells of quiet hours, and of a batch that waits for their end.
QUIET = "quiet"
DAY = timedelta(days=1)
# More than so many send times in one dispatch would cut it into batches too small to be worth a lease.
MOST_SLOTS = 96
SLOT = timedelta(minutes=30)
# Quiet hours and a vendor's hours that leave no common moment: it waits, and is looked at again then.
ROUNDS = 8


@dataclass(frozen=True, kw_only=True)
class Hours:
    """A stretch of the day by the wall clock, over midnight if `since` is the later one."""

    since: time
    until: time

    def hold(self, clock: time) -> bool:
        """Say whether it is that time of day."""
        if self.since <= self.until:
            return self.since <= clock < self.until
        return clock >= self.since or clock < self.until


def hours_of(since: time | None, until: time | None) -> Hours | None:
    """Return the stretch between two times; None if one is missing or they are equal."""
    if since is None or until is None or since == until:
        return None
    return Hours(since=since, until=until)


@lru_cache(maxsize=1024)
def zone_of(name: str) -> tzinfo:
    """Return the zone of that name; the house's own for one that is empty or unknown."""
    try:
        return ZoneInfo(name or settings.TIME_ZONE)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(settings.TIME_ZONE)


def end_of(hours: Hours | None, moment: datetime, zone: tzinfo) -> datetime:
    """Return the first instant from `moment` on at which the wall clock of `zone` stands outside `hours`."""
    moment = moment.astimezone(UTC)
    # A clock that is put forward or back on the way makes another round; it never does so twice a day.
    while hours is not None:
        local = moment.astimezone(zone)
        if not hours.hold(local.time()):
            break
        clock = timedelta(hours=local.hour, minutes=local.minute, seconds=local.second)
        clock += timedelta(microseconds=local.microsecond)
        goal = timedelta(hours=hours.until.hour, minutes=hours.until.minute, seconds=hours.until.second)
        end = moment + (goal - clock) % DAY
        if end.astimezone(zone).utcoffset() != local.utcoffset():
            end = _change_between(moment, end, zone)
        moment = end
    return moment


def _change_between(low: datetime, high: datetime, zone: tzinfo) -> datetime:
    """Return the instant at which the zone's offset changes after `low`."""
    before = low.astimezone(zone).utcoffset()
    low = low.replace(microsecond=0)
    high = high.replace(microsecond=0) + timedelta(seconds=1)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def release(
    moment: datetime, zone: tzinfo, *, quiet: Hours | None, closed: Sequence[Hours | None] = ()
) -> datetime:
    """Return when a message due at `moment` may leave: outside `quiet`, and when one of the accounts, named
    by their closing hours, is open."""
    for _round in range(ROUNDS):
        after = end_of(quiet, moment, zone)
        if closed:
            after = min(end_of(hours, after, zone) for hours in closed)
        if after == moment:
            break
        moment = after
    return moment


def send_times(
    moment: datetime, zones: Iterable[str], *, quiet: Hours | None, closed: Sequence[Hours | None] = ()
) -> dict[str, datetime]:
    """Return for each zone name when a message due at `moment` may leave; at most `MOST_SLOTS` instants."""
    times = {name: release(moment, zone_of(name), quiet=quiet, closed=closed) for name in zones}
    if len(set(times.values())) > MOST_SLOTS:
        times = {name: at if at == moment else _rounded_up(at) for name, at in times.items()}
    return times


def _rounded_up(at: datetime) -> datetime:
    over = timedelta(seconds=at.timestamp() % SLOT.total_seconds())
    return at + (SLOT - over if over else timedelta(0))
