"""The pre-flight beyond the count: how long it takes, what each step will reach, and the caps' numbers."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override

from campaigns.models import Campaign, RunMinute
from campaigns.services.outlook import Outlook, look_ahead
from campaigns.services.preflight import content_of, preflight
from campaigns.tests.factories import make_campaign, make_run
from notifyhub.customers.models import Customer
from notifyhub.customers.tests.factories import make_customer, opt_in
from notifyhub.messaging.engine.respects import cap_respect
from notifyhub.messaging.models import Batch, Delivery, Dispatch, TemplateVersion
from notifyhub.messaging.services.chains import expect_steps
from notifyhub.messaging.services.pace import ChannelPace, how_long
from notifyhub.messaging.tests.factories import make_delivery, make_dispatch, make_version
from notifyhub.messaging.tests.kit.limits import count_before, limit, night
from notifyhub.messaging.tests.kit.sending import memory_account
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db
State = Delivery.State
CHAIN: list[dict[str, Any]] = [{"channel": "email", "wait": 7200, "until": "read"}, {"channel": "sms"}]
NOON = datetime(2026, 11, 22, 12, tzinfo=timezone.get_fixed_timezone(0))


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    with override("en"):
        yield


@pytest.fixture
def version() -> TemplateVersion:
    return make_version(("email", "en"), ("sms", "en"))


def willing(version: TemplateVersion, *channels: str, count: int = 1, **fields: Any) -> list[Customer]:
    topic = version.template.topic
    assert topic is not None
    made = [make_customer(**fields) for _one in range(count)]
    for one in made:
        opt_in(one, topic, *channels)
    return made


def outlook_of(campaign: Campaign) -> Outlook:
    forecast = preflight(campaign).forecast
    assert forecast is not None
    return look_ahead(campaign, content_of(campaign), forecast)


def numbers_page(client: Client, campaign: Campaign) -> str:
    client.force_login(make_user("marketing_editor"))
    return client.get(reverse("admin:campaigns_campaign_numbers", args=[campaign.pk])).content.decode()


def history(channel: str, *, read: int, unread: int, failed: int = 0, days: int = 3) -> Dispatch:
    """Make a dispatch of some days ago with one batch of that many messages, read after an hour."""
    at = timezone.now() - timedelta(days=days)
    dispatch = make_dispatch(chain=[{"channel": channel}], state="finished", started_at=at)
    Dispatch.objects.filter(pk=dispatch.pk).update(created_at=at)
    states = [State.SENT] * (read + unread) + [State.FAILED] * failed
    ids = [
        make_delivery(
            dispatch,
            1,
            channel=channel,
            state=state,
            send_at=at,
            settled_at=at,
            read_at=at + timedelta(hours=1) if place < read else None,
        ).pk
        for place, state in enumerate(states)
    ]
    Batch.objects.create(
        dispatch=dispatch,
        channel=channel,
        priority=1,
        lo=ids[0],
        hi=ids[-1],
        cursor=ids[-1],
        open_to=ids[-1],
        not_before=at,
        state=Batch.State.DONE,
        sent=read + unread,
        failed=failed,
    )
    return dispatch


def test_each_step_says_how_many_it_can_reach_and_how_many_it_will(version: TemplateVersion) -> None:
    willing(version, "email", "sms", count=4)
    willing(version, "email", count=2)
    willing(version, "sms", count=3, email=None)
    campaign = make_campaign(version=version, chain=CHAIN)
    first, second = outlook_of(campaign).steps
    # No history: the start is known, what follows is not.
    assert (first.at_most, first.expected, first.share) == (6, 6, None)
    assert (second.at_most, second.expected, second.last) == (7, None, True)
    history("email", read=30, unread=6, failed=4)
    first, second = outlook_of(campaign).steps
    assert (first.share, first.sampled) == (0.25, 40)
    # Three begin there, and a quarter of the four who have both goes on.
    assert (second.at_most, second.expected) == (7, 4)


def test_a_little_history_or_an_old_one_is_none(version: TemplateVersion) -> None:
    masks = {0b11: 10}
    history("email", read=10, unread=5)
    history("email", read=40, unread=0, days=100)
    history("sms", read=40, unread=0)
    asked = {"chain": CHAIN, "message_class": "promotional", "masks": masks}
    assert [step.expected for step in expect_steps(**asked)] == [10, None]
    assert [step.expected for step in expect_steps(**{**asked, "chain": CHAIN[:1]})] == []
    # Without a wait only failures go on.
    history("email", read=0, unread=90, failed=10)
    chain = [{"channel": "email"}, {"channel": "sms"}]
    shares = [step.share for step in expect_steps(**{**asked, "chain": chain})]
    assert shares[0] == pytest.approx(10 / 115)


def test_the_pre_flight_shows_the_steps_and_says_where_there_is_no_history(
    client: Client, version: TemplateVersion
) -> None:
    memory_account()
    willing(version, "email", "sms", count=2)
    text = numbers_page(client, make_campaign(version=version, chain=CHAIN))
    assert "no history yet" in text
    assert "the last step" in text


def test_it_says_how_long_it_takes_and_what_sets_the_pace(client: Client, version: TemplateVersion) -> None:
    memory_account(name="Slow mail", rate_per_second=2)
    willing(version, "email", count=5)
    campaign = make_campaign(version=version, chain=["email"])
    found = outlook_of(campaign)
    assert found.lasting is not None
    assert found.lasting.seconds == pytest.approx(2.5)
    assert found.takes == "less than a minute"
    assert found.why == "At 2 a second: the account Slow mail allows no more."
    assert "less than a minute" in numbers_page(client, campaign)
    slower = make_campaign(version=version, chain=["email"], rate=1)
    assert outlook_of(slower).why == "At 1 a second: its own rate allows no more."


def test_who_waits_for_the_morning_makes_it_last_until_then(version: TemplateVersion) -> None:
    memory_account()
    willing(version, "email", count=2)
    limit(**night(hours=3))
    found = outlook_of(make_campaign(version=version, chain=["email"]))
    assert found.lasting is not None
    assert timedelta(hours=2) < found.lasting.end - timezone.now() < timedelta(hours=3, minutes=1)


def test_channels_go_side_by_side_and_the_slowest_part_decides() -> None:
    def pace(channel: str, rate: int) -> ChannelPace:
        return ChannelPace(channel=channel, names=(channel,), rate=rate)

    paces = {"email": pace("email", 100), "sms": pace("sms", 10)}
    slots = [("email", NOON, 1000), ("sms", NOON, 600)]
    found = how_long(slots=slots, start=NOON, paces=paces)
    assert found is not None
    assert (found.seconds, found.rate) == (60, 10)
    found = how_long(slots=slots, start=NOON, paces=paces, own_rate=5, measured=50.0)
    assert found is not None
    assert (found.seconds, found.cause) == (320, "its own rate")
    later = NOON + timedelta(hours=9)
    found = how_long(slots=[("sms", NOON, 10), ("sms", later, 100)], start=NOON, paces=paces)
    assert found is not None
    assert found.end == later + timedelta(seconds=10)
    assert how_long(slots=[], start=NOON, paces=paces) is None
    assert how_long(slots=slots, start=NOON, paces={}) is None


def test_the_fastest_whole_minute_of_a_run_is_what_the_house_can_do(version: TemplateVersion) -> None:
    memory_account(rate_per_second=100_000)
    run = make_run()
    minute = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=9)
    for place, sent in enumerate([50, 650, 1250, 1260]):
        RunMinute.objects.create(run=run, minute=minute + timedelta(minutes=place), sent=sent)
    found = outlook_of(make_campaign(version=version, chain=["email"]))
    assert found.why == "At 10 a second: the fastest minute of the last 30 days allows no more."
    Dispatch.objects.filter(pk=run.dispatch_id).update(rate_per_second=10)
    assert "100,000 a second" in outlook_of(make_campaign(version=version, chain=["email"])).why


def test_a_cap_is_named_with_its_number(client: Client, version: TemplateVersion) -> None:
    memory_account()
    full, _free = willing(version, "email", count=2)
    limit(cap_day=2, cap_week=9)
    limit(channel="email", cap_day=1)
    count_before(full.pk, cap_respect("promotional", ""), used=2)
    text = numbers_page(client, make_campaign(version=version, chain=["email"]))
    assert "Frequency cap of the day (2, Email 1)" in text


def test_the_pre_flight_asks_as_often_for_many_as_for_few(client: Client, version: TemplateVersion) -> None:
    memory_account()
    willing(version, "email", "sms")
    campaign = make_campaign(version=version, chain=CHAIN)
    numbers_page(client, campaign)
    page = reverse("admin:campaigns_campaign_numbers", args=[campaign.pk])
    with CaptureQueriesContext(connection) as few:
        client.get(page)
    willing(version, "email", "sms", count=5)
    history("email", read=40, unread=0)
    with CaptureQueriesContext(connection) as many:
        client.get(page)
    assert len(many) == len(few)
