"""Quiet hours: by the customer's clock, at planning and in the window; they delay and never drop."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from hypothesis import example, given, settings
from hypothesis import strategies as st

from notifyhub.customers.models import Customer
from notifyhub.customers.tests.factories import make_topic
from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.engine.quiet import MOST_SLOTS, Hours, end_of, hours_of, release, send_times, zone_of
from notifyhub.messaging.models import Batch, Delivery, Dispatch, ProviderAccount
from notifyhub.messaging.services.dispatches import forecast, progress
from notifyhub.messaging.tests.kit.limits import found, limit, night
from notifyhub.messaging.tests.kit.sending import (
    EVERYBODY,
    assert_counts_are_the_ledger,
    dispatch_to,
    drain,
    make_recipients,
    memory_account,
    reasons,
    states,
    work,
)

ZONES = (
    "Asia/Shanghai",
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Africa/Casablanca",
    "Pacific/Apia",
    "America/Santiago",
    "Asia/Tehran",
    "Pacific/Chatham",
    "UTC",
)
clock = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))
# The days on which some of these zones put their clocks forward or back, and all others.
changes = st.sampled_from(
    [(2026, 3, 8), (2026, 3, 29), (2026, 4, 4), (2026, 10, 3), (2026, 10, 24), (2026, 11, 1), (2011, 12, 29)]
).map(lambda day: datetime(*day, tzinfo=UTC))
years = st.integers(1262304000, 2114380800).map(lambda at: datetime.fromtimestamp(at, UTC).replace(second=0))
moments = st.builds(
    lambda start, minutes, seconds: start + timedelta(minutes=minutes, seconds=seconds),
    st.one_of(changes, years),
    st.integers(0, 3 * 24 * 60),
    st.integers(0, 59),
)


def slow_end(hours: Hours, moment: datetime, zone: ZoneInfo) -> datetime:
    """Look at the clock on the wall minute by minute."""

    def is_quiet(at: datetime) -> bool:
        wall = at.astimezone(zone).time()
        if hours.since < hours.until:
            return hours.since <= wall < hours.until
        return not hours.until <= wall < hours.since

    if not is_quiet(moment):
        return moment
    at = moment.replace(second=0, microsecond=0)
    while is_quiet(at):
        at += timedelta(minutes=1)
    return at


@settings(max_examples=400, deadline=None)
@given(since=clock, until=clock, moment=moments, zone=st.sampled_from(ZONES))
@example(time(22), time(2, 30), datetime(2026, 3, 8, 5, tzinfo=UTC), "America/New_York")
@example(time(22), time(1, 30), datetime(2026, 11, 1, 6, 10, tzinfo=UTC), "America/New_York")
@example(time(1, 30), time(2, 30), datetime(2026, 11, 1, 5, 45, tzinfo=UTC), "America/New_York")
@example(time(21), time(9), datetime(2011, 12, 30, 9, 30, tzinfo=UTC), "Pacific/Apia")
def test_the_end_of_quiet_hours_is_where_the_wall_clock_says(
    since: time, until: time, moment: datetime, zone: str
) -> None:
    hours = hours_of(since, until)
    place = ZoneInfo(zone)
    if hours is None:
        assert since == until
        assert end_of(hours, moment, place) == moment
    else:
        assert end_of(hours, moment, place) == slow_end(hours, moment, place)


@settings(max_examples=150, deadline=None)
@given(since=clock, until=clock, opens=clock, closes=clock, moment=moments, zone=st.sampled_from(ZONES))
def test_a_released_message_meets_neither_quiet_hours_nor_a_shut_vendor(
    since: time, until: time, opens: time, closes: time, moment: datetime, zone: str
) -> None:
    quiet, closed, place = hours_of(since, until), hours_of(closes, opens), ZoneInfo(zone)
    at = release(moment, place, quiet=quiet, closed=(closed,))
    assert at >= moment
    shut = [hours for hours in (quiet, closed) if hours and hours.hold(at.astimezone(place).time())]
    if shut:
        # Only if the two leave no common moment on that day.
        for minute in range(24 * 60):
            wall = (at + timedelta(minutes=minute)).astimezone(place).time()
            assert any(hours.hold(wall) for hours in (quiet, closed) if hours)


def test_nights_pass_midnight_and_equal_times_are_none() -> None:
    hours = hours_of(time(21), time(9))
    assert hours is not None
    at = {hour: hours.hold(time(hour)) for hour in (20, 21, 23, 0, 8, 9, 12)}
    assert at == {20: False, 21: True, 23: True, 0: True, 8: True, 9: False, 12: False}
    assert hours_of(time(0), time(0)) is None
    assert hours_of(None, time(9)) is None


def test_an_unknown_zone_is_the_houses() -> None:
    for name in ("", "Mars/Olympus", "../../etc/passwd", "x" * 300, "Asia"):
        assert str(zone_of(name)) == "Asia/Shanghai"


def test_a_dispatch_has_at_most_ninety_six_send_times() -> None:
    from zoneinfo import available_timezones

    hours = hours_of(time(0, 1), time(0))
    times = send_times(datetime(2026, 7, 1, 12, 30, tzinfo=UTC), available_timezones(), quiet=hours)
    assert len(set(times.values())) <= MOST_SLOTS


# What follows sends.


@pytest.fixture
def _account(db: None) -> None:
    memory_account()


def plan(**fields: object) -> Dispatch:
    dispatch = dispatch_to(**fields)
    plan_dispatch(dispatch_id=dispatch.pk)
    dispatch.refresh_from_db()
    return dispatch


def morning() -> None:
    """Bring everything that waits to its time, on a day without quiet hours."""
    limit(quiet_from=None, quiet_until=None)
    Batch.objects.filter(state=Batch.State.READY).update(not_before=timezone.now())


@pytest.mark.usefixtures("_account")
def test_planning_puts_each_zone_to_its_own_morning() -> None:
    here, also_here, there, nowhere = make_recipients("auto", "auto", "auto", "auto")
    Customer.objects.filter(pk__in=[here.pk, also_here.pk]).update(time_zone="Asia/Shanghai")
    Customer.objects.filter(pk=there.pk).update(time_zone="Europe/Berlin")
    Customer.objects.filter(pk=nowhere.pk).update(time_zone="Mars/Olympus")
    quiet = night()
    limit(**quiet)
    dispatch = plan()
    times = dict(Delivery.objects.filter(dispatch_id=dispatch.pk).values_list("customer_id", "send_at"))
    assert times[here.pk] == times[also_here.pk] == times[nowhere.pk]
    assert times[here.pk].astimezone(ZoneInfo("Asia/Shanghai")).time() == quiet["quiet_until"]
    assert times[there.pk] == dispatch.send_at
    assert set(Batch.objects.values_list("not_before", "waits_for")) == {
        (times[here.pk], "quiet"),
        (dispatch.send_at, ""),
    }
    drain()
    assert states(dispatch) == {"sent": 1, "planned": 3}
    facts = progress(dispatch_id=dispatch.pk)
    assert (facts.waiting, facts.waits_from, facts.waits_until) == (3, times[here.pk], times[here.pk])
    assert_counts_are_the_ledger(dispatch)
    morning()
    drain()
    assert states(dispatch) == {"sent": 4}
    assert progress(dispatch_id=dispatch.pk).waiting == 0


@pytest.mark.usefixtures("_account")
def test_quiet_hours_that_begin_in_mid_batch_hold_the_rest() -> None:
    make_recipients(*["auto"] * 6)
    dispatch = plan()
    work(window=2, seconds=0)
    quiet = night()
    limit(**quiet)
    drain()
    assert len(MemoryBackend.outbox) == 2
    assert states(dispatch) == {"sent": 2, "planned": 4}
    side = Batch.objects.get(dispatch=dispatch, state=Batch.State.READY)
    assert len(side.ids or []) == 4
    assert side.waits_for == "quiet"
    until = side.not_before.astimezone(ZoneInfo("Asia/Shanghai"))
    assert abs(until - until.replace(second=0, microsecond=0)) < timedelta(seconds=5)
    assert {code for code, _detail in found(dispatch, "delayed")} == {"quiet"}
    assert "until=" in found(dispatch, "delayed")[0][1]
    assert progress(dispatch_id=dispatch.pk).waiting == 4
    assert_counts_are_the_ledger(dispatch)
    morning()
    drain()
    assert states(dispatch) == {"sent": 6}
    assert_counts_are_the_ledger(dispatch)
    dispatch.refresh_from_db()
    assert dispatch.state == Dispatch.State.FINISHED


@pytest.mark.usefixtures("_account")
def test_a_channel_may_be_quiet_at_other_times() -> None:
    memory_account("sms", name="Memory sms")
    make_recipients("auto")
    limit(channel="sms", **night())
    assert states(_drained()) == {"sent": 1}
    assert states(_drained(chain=[{"channel": "sms"}])) == {"planned": 1}
    # A night of no length says that this channel has none.
    limit(**night())
    limit(channel="sms", quiet_from=time(0), quiet_until=time(0))
    assert states(_drained(chain=[{"channel": "sms"}])) == {"sent": 1}


def _drained(**fields: object) -> Dispatch:
    dispatch = dispatch_to(**fields)
    drain()
    return dispatch


@pytest.mark.usefixtures("_account")
def test_nobody_waits_for_a_transactional_or_an_urgent_message() -> None:
    customers = make_recipients("auto")
    for message_class in ("transactional", "service", "promotional"):
        limit(message_class, **night())
    topic = make_topic("bills", "service")
    sent = {
        "transactional": _drained(customers=customers, message_class="transactional"),
        "service": _drained(customers=customers, message_class="service", topic=topic),
        "urgent": _drained(customers=customers, message_class="service", topic=topic, urgent=True),
        "urgent offer": _drained(urgent=True),
    }
    assert {name: set(states(one)) for name, one in sent.items()} == {
        "transactional": {"sent"},
        "service": {"planned"},
        "urgent": {"sent"},
        "urgent offer": {"planned"},
    }


@pytest.mark.usefixtures("_account")
def test_what_expires_in_the_night_expires_when_it_should() -> None:
    make_recipients("auto", "auto")
    soon = timezone.now() + timedelta(minutes=30)
    early = plan(expires_at=soon)
    limit(**night())
    late = plan(expires_at=soon)
    drain()
    assert states(early) == states(late) == {"planned": 2}
    for waiting in Batch.objects.filter(state=Batch.State.READY):
        assert abs(waiting.not_before - soon) < timedelta(seconds=5)
    Dispatch.objects.update(expires_at=timezone.now())
    Batch.objects.filter(state=Batch.State.READY).update(not_before=timezone.now())
    drain()
    assert states(early) == states(late) == {"expired": 2}
    assert_counts_are_the_ledger(early)


@pytest.mark.usefixtures("_account")
def test_whoever_unsubscribes_in_the_night_gets_nothing_in_the_morning() -> None:
    customer, _other = make_recipients("auto", "auto")
    limit(**night())
    dispatch = plan()
    customer.consents.update(decision="out")
    morning()
    drain()
    assert states(dispatch) == {"sent": 1, "skipped": 1}
    assert reasons(dispatch) == {"opted_out": 1}


@pytest.mark.usefixtures("_account")
def test_the_forecast_says_who_waits_until_when() -> None:
    topic = make_topic()
    _here, there = make_recipients("auto", "auto")
    Customer.objects.filter(pk=there.pk).update(time_zone="Europe/Berlin")
    limit(**night())
    asked = {
        "message_class": "promotional",
        "chain": [{"channel": "email"}],
        "audience": EVERYBODY,
        "topic": topic,
        "template_version": None,
    }
    expected = forecast(**asked)
    dispatch = plan(topic=topic)
    waiting = Delivery.objects.filter(dispatch_id=dispatch.pk, send_at__gt=dispatch.send_at)
    assert expected.sendable == 2
    assert expected.delayed == waiting.count() == 1
    assert expected.delayed_from == expected.delayed_until == waiting.get().send_at
    # By then it is day here.
    assert forecast(**asked, send_at=expected.delayed_until).delayed == 0


def vendor(opens: time | None, closes: time | None, **fields: object) -> ProviderAccount:
    account = memory_account("sms", **fields)
    ProviderAccount.objects.filter(pk=account.pk).update(open_from=opens, open_until=closes)
    return account


@pytest.mark.django_db
def test_a_shut_vendor_is_passed_over_for_one_that_is_open() -> None:
    make_recipients("auto")
    shut = night()
    vendor(shut["quiet_until"], shut["quiet_from"], name="By day", priority=1)
    first = _drained(chain=[{"channel": "sms"}])
    # Alone, it makes offers wait for its morning, and nothing else.
    assert states(first) == {"planned": 1}
    batch = Batch.objects.get(dispatch=first, state=Batch.State.READY)
    assert batch.not_before.astimezone(ZoneInfo("Asia/Shanghai")).time() == shut["quiet_until"]
    customers = list(Customer.objects.all())
    answer = _drained(customers=customers, message_class="transactional", chain=[{"channel": "sms"}])
    assert states(answer) == {"sent": 1}


@pytest.mark.django_db
def test_a_vendor_that_shuts_in_mid_batch_makes_the_rest_wait() -> None:
    make_recipients(*["auto"] * 4)
    account = vendor(None, None, name="By day")
    dispatch = plan(chain=[{"channel": "sms"}])
    work(window=2, seconds=0)
    shut = night()
    ProviderAccount.objects.filter(pk=account.pk).update(
        open_from=shut["quiet_until"], open_until=shut["quiet_from"]
    )
    drain()
    assert states(dispatch) == {"sent": 2, "planned": 2}
    assert {code for code, _detail in found(dispatch, "delayed")} == {"quiet"}
