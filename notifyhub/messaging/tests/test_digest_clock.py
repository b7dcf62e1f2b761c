"""When a bucket closes: by the customer's clock, over gaps and folds, held against a slow, obvious search."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from notifyhub.messaging.engine.digest.clock import MARGIN, next_close

ZONES = (
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "America/St_Johns",
    "Africa/Casablanca",
    "Pacific/Apia",
)
START = datetime(2024, 1, 1, tzinfo=UTC)
moments = st.integers(0, 4 * 366 * 86400).map(lambda seconds: START + timedelta(seconds=seconds))
minutes = st.builds(lambda value: time(value // 60, value % 60), st.integers(0, 24 * 60 - 1))


def slow_close(moment: datetime, zone: ZoneInfo, *, every: str, at: time, weekday: int) -> datetime:
    """Walk minute by minute over the wall clock to the first time it shows, or has passed over, `at`."""
    step = (moment + MARGIN).replace(second=0, microsecond=0)
    limit = step + timedelta(days=16)
    last = (step - timedelta(hours=3)).astimezone(zone)
    seen = set()
    # Three hours back, so that a fold before the moment is known to have been.
    step -= timedelta(hours=3)
    while step < limit:
        local = step.astimezone(zone)
        if every == "hour":
            hit = local.minute == 0
        else:
            right_day = every == "day" or local.isoweekday() == weekday
            shows = local.time() == at
            before, after = last.replace(tzinfo=None), local.replace(tzinfo=None)
            target = datetime.combine(after.date(), at)
            # The clock was put forward over it: as much later as the clock was put forward.
            skipped = timedelta(minutes=1) < after - before < timedelta(hours=3) and before < target < after
            if right_day and skipped:
                shifted = step + (target - before) - timedelta(minutes=1)
                if shifted > moment + MARGIN and after.date() not in seen:
                    return shifted
                seen.add(after.date())
            hit = right_day and shows and local.date() not in seen
            if hit:
                seen.add(local.date())
        if hit and step > moment + MARGIN:
            return step
        last, step = local, step + timedelta(minutes=1)
    raise AssertionError("no close in sixteen days")


@given(
    moment=moments,
    zone=st.sampled_from(ZONES),
    every=st.sampled_from(("hour", "day", "week")),
    at=minutes,
    weekday=st.integers(1, 7),
)
@example(  # The night without half past two.
    moment=datetime(2026, 3, 28, 12, tzinfo=UTC), zone="Europe/Berlin", every="day", at=time(2, 30), weekday=1
)
@example(  # The night with two of them: once, at the first.
    moment=datetime(2026, 10, 24, 12, tzinfo=UTC),
    zone="Europe/Berlin",
    every="day",
    at=time(2, 30),
    weekday=1,
)
@example(
    moment=datetime(2026, 10, 25, 0, 40, tzinfo=UTC),
    zone="Europe/Berlin",
    every="day",
    at=time(2, 30),
    weekday=1,
)
@example(
    moment=datetime(2026, 10, 25, 0, 40, tzinfo=UTC),
    zone="Europe/Berlin",
    every="hour",
    at=time(9),
    weekday=1,
)
def test_a_bucket_closes_when_the_slow_search_says(
    moment: datetime, zone: str, every: str, at: time, weekday: int
) -> None:
    where = ZoneInfo(zone)
    found = next_close(moment, where, every=every, at=at, weekday=weekday)
    assert found == slow_close(moment, where, every=every, at=at, weekday=weekday)
    assert found > moment


def test_a_fold_closes_once_and_a_gap_moves_forward() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    night = {"every": "day", "at": time(2, 30), "weekday": 1}
    first = next_close(datetime(2026, 10, 24, 12, tzinfo=UTC), berlin, **night)
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert next_close(first, berlin, **night) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)
    gap = next_close(datetime(2026, 3, 28, 12, tzinfo=UTC), berlin, **night)
    assert gap.astimezone(berlin).time() == time(3, 30)
