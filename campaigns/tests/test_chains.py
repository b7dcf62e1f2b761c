"""A campaign's chain and rate: written on its tabs, kept by its copies, launched, and reported by step."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.translation import override

from campaigns.models import Campaign, Run
from campaigns.services.launching import launch_campaign
from campaigns.services.plans import copy_campaign, update_campaign
from campaigns.services.preflight import find_problems, preflight
from campaigns.services.report import certify, certify_people
from campaigns.services.runs import cancel_run, note_minute, progress_of
from campaigns.tests.factories import EVERYONE, make_campaign
from notifyhub.core.errors import Refused
from notifyhub.customers.models import Customer
from notifyhub.customers.tests.factories import make_customer, opt_in
from notifyhub.messaging.models import Delivery, TemplateVersion
from notifyhub.messaging.tests.factories import make_version
from notifyhub.messaging.tests.kit.chains import pass_time
from notifyhub.staff.services.api_keys import create_api_key
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """Whoever was served last may have left another language behind."""
    with override("en"):
        yield


CHAIN = [{"channel": "email", "wait": 7200, "until": "read"}, {"channel": "sms"}]


@pytest.fixture
def editor(client: Client) -> Client:
    client.force_login(make_user("marketing_editor"))
    return client


def url(name: str, campaign: Campaign) -> str:
    return reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk])


@pytest.fixture
def version() -> TemplateVersion:
    return make_version(("email", "en"), ("sms", "en"))


def make_willing(version: TemplateVersion, count: int = 3) -> list[Customer]:
    assert version.template.topic is not None
    people = [make_customer() for _number in range(count)]
    for one in people:
        opt_in(one, version.template.topic, "email", "sms")
    return people


def make_chained(version: TemplateVersion, **changes: Any) -> Campaign:
    return make_campaign(version=version, chain=CHAIN, **changes)


def launched(version: TemplateVersion, **changes: Any) -> Run:
    make_willing(version)
    run = launch_campaign(campaign_id=make_chained(version, **changes).pk)
    call_command("run_worker_once")
    return Run.objects.select_related("campaign", "dispatch").get(pk=run.pk)


def typed(version: TemplateVersion, campaign: Campaign, **more: Any) -> dict[str, Any]:
    return {
        "template": version.template_id,
        "version": campaign.version,
        "channels_shown": 1,
        "chain": ["email", "sms"],
        "wait_email": "1.5",
        "unit_email": "hours",
        "until_email": "read",
        "wait_sms": "3",
        "unit_sms": "days",
        "until_sms": "delivered",
        **more,
    }


def test_the_chain_is_written_in_minutes_hours_or_days(editor: Client, version: TemplateVersion) -> None:
    campaign = make_campaign(version=version)
    assert editor.post(url("content", campaign), typed(version, campaign)).status_code == 302
    campaign.refresh_from_db()
    # The last step waits for nothing, whatever stood in its field.
    assert campaign.chain == [{"channel": "email", "wait": 5400, "until": "read"}, {"channel": "sms"}]
    page = editor.get(url("content", campaign)).content.decode()
    assert 'name="wait_email" value="90"' in page
    assert '<option value="minutes" selected>' in page
    assert "If it is not read within 1 h 30 min, SMS follows." in page


@pytest.mark.parametrize("amount", ["soon", "-1", "1e9", "nan", "inf", "1,5"])
def test_a_wait_that_is_no_number_is_refused_and_kept_as_typed(
    editor: Client, version: TemplateVersion, amount: str
) -> None:
    campaign = make_campaign(version=version)
    answer = editor.post(url("content", campaign), typed(version, campaign, wait_email=amount))
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "Write how long Email waits as a number" in page
    assert f'name="wait_email" value="{amount}"' in page


def test_a_wait_longer_than_thirty_days_is_refused(editor: Client, version: TemplateVersion) -> None:
    campaign = make_campaign(version=version)
    answer = editor.post(
        url("content", campaign), typed(version, campaign, wait_email="31", unit_email="days")
    )
    assert answer.status_code == 422
    assert "Email may wait for up to 30 days" in answer.content.decode()


def test_the_rate_is_written_on_the_schedule_and_given_to_the_dispatch(
    editor: Client, version: TemplateVersion
) -> None:
    campaign = make_chained(version)
    plan = {"schedule": "now", "expires_after": "24", "version": campaign.version}
    for wrong in ("0", "fast", "-3", "1.5", "99999999999"):
        answer = editor.post(url("schedule", campaign), {**plan, "rate": wrong})
        assert answer.status_code == 422, wrong
        assert f'value="{wrong}"' in answer.content.decode()
    assert editor.post(url("schedule", campaign), {**plan, "rate": "1,500"}).status_code == 302
    campaign.refresh_from_db()
    assert campaign.rate_per_second == 1500
    make_willing(version)
    assert "1,500 a second" in editor.get(url("numbers", campaign)).content.decode()
    run = launch_campaign(campaign_id=campaign.pk)
    assert run.dispatch.rate_per_second == 1500


def test_a_copy_keeps_the_chain_and_the_rate(version: TemplateVersion) -> None:
    campaign = make_chained(version, rate=20)
    copied = copy_campaign(campaign_id=campaign.pk)
    assert (copied.chain, copied.rate_per_second) == (CHAIN, 20)


def test_a_chain_that_outlasts_its_end_is_a_problem_before_the_launch(version: TemplateVersion) -> None:
    make_willing(version)
    campaign = make_chained(version)
    assert not find_problems(campaign)
    plan = {"schedule": "now", "expires_after": timedelta(hours=2)}
    campaign = update_campaign(campaign_id=campaign.pk, version=None, changes={"schedule": plan})
    (problem,) = find_problems(campaign)
    assert (problem.tab, problem.blocking) == ("schedule", True)
    with pytest.raises(Refused, match="gives up before its last step"):
        launch_campaign(campaign_id=campaign.pk)


def test_a_campaign_from_before_the_waits_is_launched_as_it_was(version: TemplateVersion) -> None:
    make_willing(version)
    campaign = make_campaign(version=version)
    Campaign.objects.filter(pk=campaign.pk).update(chain=[{"channel": "sms"}, {"channel": "email"}])
    run = launch_campaign(campaign_id=campaign.pk)
    call_command("run_worker_once")
    assert run.dispatch.chain == [{"channel": "sms"}, {"channel": "email"}]
    progress = progress_of(run)
    assert (progress.planned, progress.sent, progress.people, progress.reached) == (3, 3, 3, 3)
    run.dispatch.refresh_from_db()
    assert run.dispatch.state == "finished"


def test_the_forecast_is_about_people_and_not_about_steps(version: TemplateVersion) -> None:
    make_willing(version)
    found = preflight(make_chained(version)).forecast
    assert found is not None
    assert (found.total, found.sendable, found.by_channel) == (3, 3, {"email": 3})


def test_the_report_tells_people_from_messages_by_step(editor: Client, version: TemplateVersion) -> None:
    run = launched(version)
    page = editor.get(url("run", run.campaign)).content.decode()
    assert "All messages so far are dealt with. From " in page
    assert "next look at " in page
    pass_time(run.dispatch, 7201)
    call_command("run_worker_once")
    run.refresh_from_db()
    assert run.state == "finished"
    assert {name: run.counts[name] for name in ("planned", "sent", "people", "reached")} == {
        "planned": 6,
        "sent": 6,
        "people": 3,
        "reached": 3,
    }
    progress = progress_of(run)
    assert certify(progress).closes
    assert certify_people(progress).closes
    page = editor.get(url("run", run.campaign)).content.decode()
    assert "Every person and every message is in exactly one line." in page
    assert "1 · Email" in page
    assert "2 · SMS" in page
    assert "step 2" in editor.get(url("recipients", run.campaign)).content.decode()


def test_cancelling_in_mid_wait_says_that_nobody_goes_on(editor: Client, version: TemplateVersion) -> None:
    run = launched(version)
    dialog = editor.get(url("cancel", run.campaign)).content.decode()
    assert "Cancel the steps to come" in dialog
    assert "Nobody goes on to a next step of the chain." in dialog
    cancel_run(run_id=run.pk, confirmed=0)
    call_command("run_worker_once")
    pass_time(run.dispatch, 7201)
    call_command("run_worker_once")
    run.refresh_from_db()
    assert run.state == "cancelled"
    assert Delivery.objects.filter(dispatch_id=run.dispatch_id).count() == 3


def test_the_pages_of_a_run_cost_the_same_before_and_after_the_second_step(
    editor: Client, version: TemplateVersion
) -> None:
    run = launched(version)
    note_minute()

    def spent(name: str) -> int:
        editor.get(url(name, run.campaign))
        with CaptureQueriesContext(connection) as queries:
            assert editor.get(url(name, run.campaign)).status_code == 200
        return len(queries)

    before = {name: spent(name) for name in ("run", "live", "recipients")}
    pass_time(run.dispatch, 7201)
    call_command("run_worker_once")
    assert {name: spent(name) for name in before} == before


def test_the_api_tells_people_from_messages(client: Client, version: TemplateVersion) -> None:
    run = launched(version)
    _key, token = create_api_key(name="till", scopes=["campaigns:launch"])
    address = f"/api/v1/campaigns/{run.campaign.key}/"
    answer = client.get(address, headers={"Authorization": f"Bearer {token}"})
    shown = answer.json()["run"]
    assert (shown["planned"], shown["people"], shown["reached"]) == (3, 3, 3)
    assert shown["not_reached"] == shown["people_open"] == 0


def test_channels_may_still_be_given_by_their_names_alone(version: TemplateVersion) -> None:
    campaign = make_campaign(version=version, audience=EVERYONE, chain=["sms", "email"])
    assert campaign.chain == [{"channel": "sms"}, {"channel": "email"}]
