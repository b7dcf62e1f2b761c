"""When a bucket closes, by the customer's clock: a gap moves it forward, a fold closes it at the first."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo

HOUR, DAY, WEEK = "hour", "day", "week"

# What is planned right before a bucket closes opens the next one, so that its rows are committed when the
# bucket is looked at.
MARGIN = timedelta(seconds=15)


def next_close(moment: datetime, zone: tzinfo, *, every: str, at: time, weekday: int) -> datetime:
    """Return the first close of such a bucket after `moment`, in UTC: the next full hour of the zone, the
    next `at` of the wall clock, or that of the next `weekday` (1 is Monday)."""
    earliest = moment.astimezone(UTC) + MARGIN
    local = earliest.astimezone(zone)
    if every == HOUR:
        # Counted on, not set: an hour that comes twice has two ends.
        return earliest - (local.replace(tzinfo=None) - _hour(local)) + timedelta(hours=1)
    days = (local.date() + timedelta(days=ahead) for ahead in range(16))
    closes = (_instant(day, at, zone) for day in days if every == DAY or day.isoweekday() == weekday)
    return next(close for close in closes if close > earliest)


def _hour(local: datetime) -> datetime:
    return local.replace(tzinfo=None, minute=0, second=0, microsecond=0)


def _instant(day: date, at: time, zone: tzinfo) -> datetime:
    return datetime.combine(day, at, tzinfo=zone).replace(fold=0).astimezone(UTC)
