"""Writing the plan through its tabs."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns.models import Campaign
from campaigns.services.plans import copy_campaign, create_campaign, update_campaign
from campaigns.tests.factories import make_campaign, make_run
from notifyhub.core.errors import Refused
from notifyhub.customers.models import Segment
from notifyhub.customers.tests.factories import make_customer
from notifyhub.messaging.tests.factories import make_template, make_version
from notifyhub.staff.models import AuditEntry
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(client: Client) -> Client:
    client.force_login(make_user("marketing_editor"))
    return client


def url(name: str, campaign: Campaign) -> str:
    return reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk])


def test_it_makes_a_campaign_by_clicking_through_the_tabs(editor: Client) -> None:
    version = make_version(("email", "en"), ("sms", "en"))
    make_customer(city="Nanjing")
    answer = editor.post(reverse("admin:campaigns_campaign_add"), {"name": "秋冬火锅季"})
    campaign = Campaign.objects.get()
    assert answer.status_code == 302
    assert answer.url == url("audience", campaign)
    assert campaign.key
    assert str(campaign.owner) == "marketing_editor"

    posts: list[tuple[str, dict[str, Any]]] = [
        ("audience", {"kind": "city", "city_values": ["Nanjing"], "version": 1}),
        ("content", {"template": version.template_id, "version": 2}),
        (
            "content",
            {"template": version.template_id, "version": 3, "channels_shown": 1, "chain": ["sms", "email"]},
        ),
        ("schedule", {"schedule": "now", "expires_after": "24", "version": 4}),
    ]
    for name, data in posts:
        assert editor.get(url(name, campaign)).status_code == 200
        assert editor.post(url(name, campaign), data).status_code == 302, name
    campaign.refresh_from_db()
    assert campaign.audience == {"field": "city", "operator": "in", "value": ["Nanjing"]}
    assert campaign.chain == [{"channel": "sms"}, {"channel": "email"}]
    assert campaign.template_id == version.template_id
    assert "0 missing" not in editor.get(url("schedule", campaign)).content.decode()
    assert AuditEntry.objects.filter(verb="update_campaign", object_id=str(campaign.pk)).count() == 4


def test_a_name_is_needed_and_what_was_typed_stays(editor: Client) -> None:
    answer = editor.post(reverse("admin:campaigns_campaign_add"), {"name": "  ", "note": "for week 48"})
    assert answer.status_code == 422
    assert "Give the campaign a name." in answer.content.decode()
    assert "for week 48" in answer.content.decode()


def test_two_campaigns_of_one_name_have_keys_of_their_own() -> None:
    keys = {create_campaign(name="Member day").key for _number in range(3)}
    assert keys == {"member-day", "member-day-2", "member-day-3"}


def test_a_conflict_keeps_the_typed_text_and_says_what_is_saved(editor: Client) -> None:
    campaign = make_campaign()
    make_customer(city="Nanjing")
    stale = campaign.version
    update_campaign(campaign_id=campaign.pk, version=stale, changes={"note": "meanwhile"})
    answer = editor.post(
        url("audience", campaign), {"kind": "city", "city_values": ["Nanjing"], "version": stale}
    )
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Somebody changed this campaign meanwhile" in page
    assert "It now says: All customers" in page
    assert 'value="Nanjing" checked' in page
    campaign.refresh_from_db()
    assert campaign.audience == {"all": True}


def test_a_time_that_has_passed_is_refused_with_one_that_has_not(editor: Client) -> None:
    campaign = make_campaign()
    past = timezone.localtime() - timedelta(hours=2)
    data = {
        "schedule": "at",
        "send_at": f"{past:%Y-%m-%dT%H:%M}",
        "expires_after": "24",
        "version": campaign.version,
    }
    answer = editor.post(url("schedule", campaign), data)
    assert answer.status_code == 422
    assert "This time has passed. Choose a time after" in answer.content.decode()
    assert f"{past:%Y-%m-%dT%H:%M}" in answer.content.decode()


@pytest.mark.parametrize(
    ("tab", "data"),
    [
        ("audience", {}),
        ("audience", {"kind": "city"}),
        ("audience", {"kind": "moon", "moon_values": ["x"]}),
        ("audience", {"kind": "segment", "segment_values": ["99999", "x\x00"]}),
        ("audience", {"kind": "tag", "tag_values": ["a\x00b"]}),
        ("content", {"template": "999999999"}),
        ("content", {"template": "drop table"}),
        ("schedule", {}),
        ("schedule", {"schedule": "at", "expires_after": "24"}),
        ("schedule", {"schedule": "at", "send_at": "tomorrow", "expires_after": "24"}),
        ("schedule", {"schedule": "at", "send_at": "2026-13-40T99:99", "expires_after": "24"}),
        ("schedule", {"schedule": "at", "send_at": "0001-01-01T00:00", "expires_after": "24"}),
        ("schedule", {"schedule": "now", "expires_after": "-1"}),
        ("details", {"name": ""}),
        ("details", {"name": "x" * 500}),
    ],
)
def test_odd_input_is_refused_in_words(editor: Client, tab: str, data: dict[str, Any]) -> None:
    campaign = make_campaign()
    answer = editor.post(url(tab, campaign), {**data, "version": campaign.version})
    if data.get("template") == "drop table":
        assert answer.status_code == 302  # No template: that is a plan with something missing.
    else:
        assert answer.status_code == 422
    assert Campaign.objects.get(pk=campaign.pk).state == "draft"


def test_a_transactional_template_is_refused(editor: Client) -> None:
    campaign = make_campaign()
    login_code = make_template(("sms", "en"), message_class="transactional")
    answer = editor.post(url("content", campaign), {"template": login_code.pk, "version": campaign.version})
    assert answer.status_code == 422
    assert "cannot use a transactional template" in answer.content.decode()


def test_what_was_launched_can_only_be_copied(editor: Client) -> None:
    campaign = make_run().campaign
    with pytest.raises(Refused, match="can no longer be changed"):
        update_campaign(campaign_id=campaign.pk, version=None, changes={"note": "later"})
    answer = editor.post(url("copy", campaign))
    copy = Campaign.objects.exclude(pk=campaign.pk).get()
    assert answer.url == url("audience", copy)
    assert (copy.state, copy.audience, copy.template_id) == ("draft", campaign.audience, campaign.template_id)
    assert copy.template_version is None


def test_archiving_waits_until_the_sending_has_ended(editor: Client) -> None:
    run = make_run()
    editor.post(url("archive", run.campaign))
    assert Campaign.objects.get(pk=run.campaign_id).state == "active"
    draft = copy_campaign(campaign_id=run.campaign_id)
    editor.post(url("archive", draft))
    assert Campaign.objects.get(pk=draft.pk).state == "archived"


def test_the_count_shows_how_many_and_only_masked_contacts(editor: Client) -> None:
    campaign = make_campaign()
    make_customer(city="Nanjing", phone="13912345678", email="liuwanqing@mail.example", tags=["student"])
    make_customer(city="Suzhou")
    segment = Segment.objects.create(
        name="Students", rule={"field": "tag", "operator": "has_any", "value": ["student"]}
    )
    for data in (
        {"kind": "city", "city_values": ["Nanjing"]},
        {"kind": "tag", "tag_values": ["student"]},
        {"kind": "segment", "segment_values": [segment.pk]},
    ):
        page = editor.post(url("audience_count", campaign), data).content.decode()
        assert '<div class="cp-count">1</div>' in page, data
        assert "139****5678" in page
        assert "13912345678" not in page
        assert "liuwanqing" not in page
    assert (
        "Choose at least one city"
        in editor.post(url("audience_count", campaign), {"kind": "city"}).content.decode()
    )
