"""Pre-flight and launch: once, for whom it said, by every door alike."""

import threading
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns.models import Campaign, Run
from campaigns.services import launching
from campaigns.services.launching import launch_campaign
from campaigns.services.plans import create_campaign, update_campaign
from campaigns.services.preflight import find_problems, preflight
from campaigns.tests.factories import make_audience, make_campaign
from notifyhub.core.errors import Refused
from notifyhub.messaging.models import Dispatch, TemplateVersion
from notifyhub.messaging.tests.factories import make_template, make_version
from notifyhub.staff.models import AuditEntry
from notifyhub.staff.services.api_keys import create_api_key
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


def url(name: str, campaign: Campaign) -> str:
    return reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk])


@pytest.fixture
def editor(client: Client) -> Client:
    client.force_login(make_user("marketing_editor"))
    return client


def ready(willing: int = 3) -> Campaign:
    version = make_version(("email", "en"))
    make_audience(version, willing=willing)
    return make_campaign(version=version)


def test_it_launches_from_the_console_and_pins_what_was_checked(editor: Client) -> None:
    campaign = ready()
    page = editor.get(url("numbers", campaign)).content.decode()
    assert "4 of 4 add up" in page
    assert "Not opted in" in page
    answer = editor.post(url("launch", campaign), {"confirmed": ""})
    assert answer["HX-Redirect"] == url("run", campaign)
    run = Run.objects.get()
    dispatch = run.dispatch
    assert (run.number, run.expected, run.launched_by.username) == (1, 3, "marketing_editor")
    assert (dispatch.origin_kind, dispatch.origin_id) == ("campaign", campaign.key)
    assert dispatch.trigger == "marketing_editor"
    assert dispatch.expires_at is not None
    campaign.refresh_from_db()
    assert (campaign.state, campaign.template_version_id) == ("active", dispatch.template_version_id)
    assert AuditEntry.objects.filter(verb="launch_campaign", object_id=str(campaign.pk)).count() == 1


def test_it_refuses_a_second_launch(editor: Client) -> None:
    campaign = ready()
    launch_campaign(campaign_id=campaign.pk)
    answer = editor.post(url("launch", campaign), {})
    assert answer.status_code == 422
    assert "launched already" in answer.content.decode()
    assert Dispatch.objects.count() == 1


def test_above_a_thousand_the_typed_number_must_be_the_one_shown(editor: Client, settings: Any) -> None:
    campaign = ready()
    above = launching.CONFIRM_ABOVE
    with pytest.raises(Refused, match="Type that number"):
        launching._check_confirmed(above + 1, None)
    launching._check_confirmed(above, None)
    launching._check_confirmed(above + 1, above + 1)
    for typed in ("4", "three", "3.0", "-3"):
        answer = editor.post(url("launch", campaign), {"confirmed": typed})
        assert answer.status_code == 422
        assert "data-open" in answer.content.decode()
    assert not Run.objects.exists()
    assert editor.post(url("launch", campaign), {"confirmed": " 3 "}).status_code == 200
    assert Run.objects.count() == 1


def test_a_change_while_it_was_counted_stops_the_launch() -> None:
    campaign = ready()
    stale = Campaign.objects.select_related("template__topic", "owner", "owner_team").get(pk=campaign.pk)
    update_campaign(campaign_id=campaign.pk, version=None, changes={"note": "meanwhile"})
    with pytest.raises(Refused, match="changed this campaign while it was being counted"):
        launching._launch(stale, launching.content_of(stale), expected=3, user=None, trigger="")
    assert not Dispatch.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_launches_at_once_one_wins() -> None:
    campaign = ready()
    start = threading.Barrier(2)
    results: list[str] = []

    def launch() -> None:
        try:
            start.wait()
            launch_campaign(campaign_id=campaign.pk)
            results.append("launched")
        except Refused:
            results.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=launch) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["launched", "refused"]
    assert (Run.objects.count(), Dispatch.objects.count()) == (1, 1)


def test_what_is_missing_is_said_in_words_with_the_place_to_mend_it() -> None:
    campaign = create_campaign(name="Winter coats")
    assert [problem.tab for problem in find_problems(campaign)] == ["audience", "content"]
    draft = make_template(("email", "en"))
    campaign = make_campaign("Unpublished", version=None)
    Campaign.objects.filter(pk=campaign.pk).update(template=draft)
    campaign.refresh_from_db()
    assert "has no published version" in find_problems(campaign)[0].title
    with pytest.raises(Refused, match="has no published version"):
        launch_campaign(campaign_id=campaign.pk)


def test_a_start_time_that_passed_since_blocks_the_launch(editor: Client) -> None:
    campaign = ready()
    Campaign.objects.filter(pk=campaign.pk).update(
        schedule="at", send_at=timezone.now() - timedelta(minutes=5)
    )
    page = editor.get(url("numbers", campaign)).content.decode()
    assert "The start time has passed" in page
    assert url("schedule", campaign) in page
    assert editor.post(url("launch", campaign), {}).status_code == 422
    assert not Run.objects.exists()


def test_nobody_to_send_to_is_a_reason_and_not_a_launch() -> None:
    version = make_version(("email", "en"))
    make_audience(version, willing=0, unwilling=2)
    campaign = make_campaign(version=version)
    found = preflight(campaign)
    assert not found.ready
    assert "Not opted in" in found.problems[0].remedy
    with pytest.raises(Refused, match="Nobody would get it"):
        launch_campaign(campaign_id=campaign.pk)


def test_a_later_start_is_a_scheduled_run_that_ends_by_itself_when_cancelled() -> None:
    campaign = ready()
    at = timezone.now() + timedelta(days=1)
    changes = {"schedule": {"schedule": "at", "send_at": at, "expires_after": timedelta(hours=6)}}
    update_campaign(campaign_id=campaign.pk, version=None, changes=changes)
    run = launch_campaign(campaign_id=campaign.pk)
    assert (run.state, run.dispatch.state) == ("scheduled", "scheduled")
    assert run.dispatch.expires_at == at + timedelta(hours=6)


def test_the_command_obeys_the_same_service() -> None:
    campaign = ready()
    with pytest.raises(CommandError, match="would go to 3 people"):
        call_command("launch_campaign", campaign.key, "--expect", "5", stdout=StringIO())
    out = StringIO()
    call_command("launch_campaign", campaign.key, stdout=out)
    assert "4 match, 3 will be sent to." in out.getvalue()
    assert "Launched" in out.getvalue()
    with pytest.raises(CommandError, match="launched already"):
        call_command("launch_campaign", campaign.key, stdout=StringIO())
    with pytest.raises(CommandError, match="no campaign"):
        call_command("launch_campaign", "nothing-here", stdout=StringIO())


def test_the_api_obeys_the_same_service(client: Client) -> None:
    campaign = ready()
    _key, token = create_api_key(name="crm", scopes=["campaigns:launch"])
    _other, weak = create_api_key(name="bi", scopes=["customers:read"])
    address = reverse("api:campaign-launch", args=[campaign.key])

    def post(body: dict[str, Any], bearer: str = token) -> Any:
        return client.post(
            address, body, content_type="application/json", headers={"Authorization": f"Bearer {bearer}"}
        )

    assert post({}, weak).status_code == 403
    refused = post({"expected_recipients": 9})
    assert (refused.status_code, refused.json()["code"]) == (422, "confirm")
    assert post({"expected_recipients": "many"}).status_code == 400
    launched = post({"expected_recipients": 3})
    assert launched.status_code == 202
    assert launched.json()["run"]["number"] == 1
    assert post({}).json()["code"] == "launched"
    assert Run.objects.get().dispatch.trigger == "API key crm"


def test_a_repeated_request_with_its_key_gets_the_first_answer(client: Client) -> None:
    campaign = ready()
    _key, token = create_api_key(name="crm", scopes=["campaigns:launch"])
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "launch-1"}
    address = reverse("api:campaign-launch", args=[campaign.key])
    answers = [
        client.post(address, {}, content_type="application/json", headers=headers) for _number in range(2)
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert Run.objects.count() == 1


def test_publishing_after_the_launch_does_not_change_what_is_sent() -> None:
    campaign = ready()
    run = launch_campaign(campaign_id=campaign.pk)
    TemplateVersion.objects.filter(pk=run.dispatch.template_version_id).update(state="retired")
    assert find_problems(Campaign.objects.get(pk=campaign.pk)) == []
    assert Run.objects.get().campaign.template_version_id == run.dispatch.template_version_id
