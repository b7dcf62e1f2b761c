"""Who may see and do what, how many queries it costs, and the dashboard."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from campaigns.models import Campaign, Run
from campaigns.roads import find_campaigns, resolve_campaigns
from campaigns.tests.factories import make_campaign, make_run
from notifyhub.core.registry import dashboard_cards, origins
from notifyhub.customers.tests.factories import make_customer
from notifyhub.messaging.models import Dispatch
from notifyhub.messaging.tests.factories import make_version
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db

LOOK = ("audience", "content", "schedule", "preflight", "numbers", "preview")
CARDS = ("numbers", "running", "action", "calendar", "funnel")


def url(name: str, campaign: Campaign) -> str:
    return reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk])


def login(client: Client, role: str | None) -> Client:
    client.force_login(make_user(role))
    return client


@pytest.mark.parametrize(
    ("role", "may_look", "may_change", "may_launch"),
    [
        ("marketing_editor", True, True, True),
        ("marketing_approver", True, False, True),
        ("content_editor", True, False, False),
        ("analyst", True, False, False),
        ("operations", True, False, True),
        ("agent", False, False, False),
        ("service_lead", False, False, False),
        ("administrator", False, False, False),
    ],
)
def test_each_role_sees_and_does_its_part(
    client: Client, role: str, may_look: bool, may_change: bool, may_launch: bool
) -> None:
    login(client, role)
    draft, run = make_campaign("Draft"), make_run()
    launched = run.campaign
    looks = [url(name, draft) for name in ("audience", "content", "schedule", "preflight", "numbers")]
    looks += [url(name, launched) for name in ("run", "live", "minutes", "recipients")]
    looks.append(reverse("admin:campaigns_campaign_changelist"))
    for address in looks:
        assert client.get(address).status_code == (200 if may_look else 403), address
    posts = {"audience": {"kind": "all", "version": draft.version}, "details": {"name": "New", "version": 99}}
    for name, data in posts.items():
        code = client.post(url(name, draft), data).status_code
        assert (code != 403) == may_change, name
    added = client.post(reverse("admin:campaigns_campaign_add"), {"name": "Another"}).status_code
    assert (added == 302) == may_change
    for name in ("pause", "resume", "cancel"):
        code = client.post(url(name, launched), {"shown": "3"}).status_code
        assert (code != 403) == may_launch, name
    assert (client.post(url("launch", draft), {}).status_code != 403) == may_launch
    assert client.get(reverse("admin:campaigns_campaign_delete", args=[draft.pk])).status_code == 403


def test_a_button_that_is_off_says_why(client: Client) -> None:
    campaign = make_campaign()
    login(client, "analyst")
    assert (
        "Only marketing editors and approvers may launch"
        in client.get(url("numbers", campaign)).content.decode()
    )
    assert (
        "You may look at campaigns but not change them"
        in client.get(url("audience", campaign)).content.decode()
    )
    run = make_run()
    assert (
        "Marketing editors and approvers can pause it"
        in client.get(url("run", run.campaign)).content.decode()
    )


def test_looking_writes_nothing(client: Client) -> None:
    login(client, "marketing_editor")
    draft, launched = make_campaign("Draft"), make_run().campaign
    with CaptureQueriesContext(connection) as queries:
        for name in LOOK:
            client.get(url(name, draft))
        for name in ("run", "live", "minutes", "recipients", "cancel"):
            client.get(url(name, launched))
    writes = [
        query["sql"]
        for query in queries
        if query["sql"].split()[0] in ("INSERT", "UPDATE", "DELETE") and "django_session" not in query["sql"]
    ]
    assert writes == []


def _queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


def test_the_list_costs_the_same_for_one_and_for_many(client: Client) -> None:
    login(client, "marketing_editor")
    address = reverse("admin:campaigns_campaign_changelist")
    make_run()
    client.get(address)
    one = _queries(client, address)
    version = make_version(("email", "en"))
    for number in range(8):
        make_campaign(f"Draft {number}", version=version)
    for _number in range(3):
        make_run()
    assert _queries(client, address) == one
    page = client.get(address + "?now=sending&state__exact=active").content.decode()
    assert "Autumn hot pot" in page
    assert "Draft 3" not in page


def test_pages_of_a_run_cost_the_same_for_few_and_many_people(client: Client) -> None:
    login(client, "marketing_editor")
    few, many = make_run(willing=2), make_run(willing=30, unwilling=10)
    client.get(url("run", few.campaign))
    for name in ("run", "live", "recipients"):
        assert _queries(client, url(name, few.campaign)) == _queries(client, url(name, many.campaign)), name


def test_the_preview_is_a_customer_of_the_audience_in_a_sandboxed_frame(client: Client) -> None:
    login(client, "marketing_editor")
    make_customer(name="Chen Yutong", locale="en", city="Nanjing")
    campaign = make_campaign(audience={"kind": "city", "values": ["Nanjing"]})
    page = client.get(url("preview", campaign)).content.decode()
    assert "Chen Yutong" in page
    assert 'sandbox=""' in page
    mail = client.get(url("mail", campaign))
    assert "Dear Chen Yutong" in mail.content.decode()
    assert "default-src 'none'" in mail["Content-Security-Policy"]
    assert client.get(url("mail", campaign) + "?customer=abc").status_code == 200


def _card(client: Client, name: str) -> str:
    answer = client.get(reverse("admin:console_card", args=[f"campaigns_{name}"]))
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "could not be loaded" not in page
    return page


def test_an_empty_house_shows_the_first_three_steps(client: Client) -> None:
    login(client, "marketing_editor")
    pages = {name: _card(client, name) for name in CARDS}
    assert "Three steps to the first campaign" in pages["numbers"]
    assert "Nothing is being sent" in pages["running"]
    assert "Nothing waits for you" in pages["action"]


def test_the_cards_show_today_in_a_few_queries(client: Client) -> None:
    login(client, "marketing_editor")
    run = make_run(willing=4, unwilling=1)
    call_command("run_worker_once")
    paused = make_run(willing=2)
    Dispatch.objects.filter(pk=paused.dispatch_id).update(state="paused", pause_reason="wrong price")
    make_campaign("Late one")
    Campaign.objects.filter(name="Late one").update(
        schedule="at", send_at=timezone.now() - timedelta(hours=1)
    )
    pages = {name: _card(client, name) for name in CARDS}
    assert '<div class="nh-kpi-value">4</div>' in pages["numbers"]
    assert paused.campaign.name in pages["running"]
    assert "wrong price" in pages["action"]
    assert "“Late one” was not launched in time" in pages["action"]
    assert run.campaign.name in pages["calendar"]
    assert "Not opted in" in pages["funnel"]
    request = client.get("/admin/").wsgi_request
    request.user.has_perm("campaigns.view_campaign")
    for name in CARDS:
        card = dashboard_cards.get(f"campaigns_{name}")
        assert card is not None
        with CaptureQueriesContext(connection) as queries:
            card.render(request)
        assert len(queries) <= 5, name


def test_a_dispatch_finds_its_campaign_and_so_does_the_search(client: Client) -> None:
    run: Run = make_run()
    origin = origins.get("campaign")
    assert origin is not None
    assert origin.resolve([run.dispatch.origin_id, "gone"]) == resolve_campaigns([run.campaign.key])
    login(client, "marketing_editor")
    request = client.get("/admin/").wsgi_request
    assert [hit.title for hit in find_campaigns(request, "hot p")] == [run.campaign.name]
    client.force_login(make_user("agent"))
    assert find_campaigns(client.get("/admin/").wsgi_request, "hot p") == []
