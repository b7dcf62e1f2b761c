"""Each page of the house in a real browser, as the people who use it see it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from campaigns.models import Campaign
from feedback.models import Case
from notifyhub.console.tests.kit.browser import Eye, open_browser
from notifyhub.core.registry import navigation
from notifyhub.customers.models import CustomerImport
from notifyhub.messaging.models import Delivery, ProviderAccount
from notifyhub.reminders.models import Reminder, ReminderRule
from notifyhub.staff import roles
from notifyhub.staff.models import User

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FILE = "会员号,姓名,手机号\nE1,王芳,13800001111\nE2,李雷,12\n".encode("gb18030")


@dataclass
class Screens:
    """Where the demo is shown, who is signed in, and which pages of their own each of them uses."""

    root: str
    sessions: dict[str, str] = field(default_factory=dict)
    pages: dict[str, list[str]] = field(default_factory=dict)
    main: dict[str, list[str]] = field(default_factory=dict)


@pytest.fixture
def screens(live_server: LiveServer) -> Screens:
    """The demo on a live server."""
    call_command("load_demo", stdout=StringIO())
    # Before the browser starts: it keeps an event loop in this thread, which Django's models refuse.
    return prepare(live_server.url)


def prepare(root: str) -> Screens:
    """Sign everybody in, and collect the addresses."""
    screens = Screens(root=root)
    for role in roles.ROLES:
        user = User.objects.filter(groups__role__code=role).get()
        client = Client()
        client.force_login(user)
        screens.sessions[role] = client.cookies["sessionid"].value
        own = own_pages(role, client)
        first = reverse("admin:index")
        screens.pages[role] = [first, *sidebar(user), *own]
        if own:
            screens.main[role] = [first, *own]
    return screens


def sidebar(user: User) -> list[str]:
    """The entries that this person sees."""
    shown = [item.url_name for item in navigation if not item.permission or user.has_perm(item.permission)]
    return [name if name.startswith("/") else reverse(name) for name in shown]


def own_pages(role: str, client: Client) -> list[str]:
    """Pages behind the entries, as the person of this role comes to them."""

    def at(name: str, *key: object) -> str:
        return reverse(f"admin:{name}", args=key)

    if role == roles.MARKETING_EDITOR:
        draft = Campaign.objects.filter(state="draft", template__isnull=False).latest("pk")
        running = Campaign.objects.filter(runs__state="running").latest("pk")
        tabs = ("audience", "content", "schedule", "preflight", "details")
        upload = SimpleUploadedFile("老会员.csv", FILE)
        columns = client.post(at("customers_customer_import"), {"file": upload}).headers["Location"]
        return [
            *(at(f"campaigns_campaign_{tab}", draft.pk) for tab in tabs),
            at("campaigns_campaign_add"),
            at("campaigns_campaign_run", running.pk),
            at("campaigns_campaign_recipients", running.pk),
            at("messaging_template_change", draft.template_id),
            at("messaging_template_add"),
            at("customers_segment_add"),
            columns,
            at("customers_customer_import_consent", CustomerImport.objects.get().pk),
        ]
    if role == roles.AGENT:
        case = Case.objects.filter(customer__isnull=False, state="open").latest("pk")
        return [
            at("feedback_case_change", case.pk),
            at("feedback_case_add"),
            at("customers_customer_change", case.customer_id),
            at("messaging_delivery_page", message().reference),
        ]
    if role == roles.OPERATIONS:
        account = ProviderAccount.objects.filter(channel="email").latest("pk")
        return [
            at("messaging_dispatch_change", message().dispatch_id),
            at("messaging_provideraccount_change", account.pk),
            at("reminders_reminderrule_change", ReminderRule.objects.latest("pk").pk),
            at("reminders_reminderrule_add"),
            at("reminders_reminderrule_examples"),
            at("reminders_reminderrule_report", ReminderRule.objects.earliest("pk").pk),
            at("reminders_reminderrule_versions", ReminderRule.objects.earliest("pk").pk),
            at("reminders_reminder_change", Reminder.objects.latest("pk").pk),
        ]
    return []


def message() -> Delivery:
    """One mail of a campaign that has arrived."""
    finished = Campaign.objects.filter(runs__state="finished").latest("pk").runs.latest("pk")
    return Delivery.objects.filter(dispatch_id=finished.dispatch_id, state=Delivery.State.DELIVERED)[0]


@pytest.fixture
def browser(screens: Screens) -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@contextmanager
def eye_of(browser: Browser, screens: Screens, role: str, language: str) -> Iterator[Eye]:
    """The browser window of this person, in this language."""
    eye = Eye(browser, screens.root, session=screens.sessions[role], language=language)
    yield eye
    eye.close()


def test_each_page_is_whole_and_open_to_everybody(
    browser: Browser, screens: Screens, subtests: pytest.Subtests
) -> None:
    for language in ("en", "zh-hans"):
        with subtests.test("both widths", language=language):
            assert problems_in(language, browser, screens) == []
    for role in screens.main:
        with subtests.test("accessible", role=role):
            assert barriers_for(role, browser, screens) == []


def problems_in(language: str, browser: Browser, screens: Screens) -> list[str]:
    """What is wrong with the pages in this language; shared ones are looked at once, but for the first."""
    wrong: list[str] = []
    seen: set[str] = set()
    for role, pages in screens.pages.items():
        with eye_of(browser, screens, role, language) as eye:
            for address in pages:
                if address not in seen:
                    wrong += [f"{role} {one}" for one in eye.look(address)]
            seen |= {*pages} - {reverse("admin:index")}
    assert len(seen) > 40
    return wrong


def barriers_for(role: str, browser: Browser, screens: Screens) -> list[str]:
    """Serious barriers that axe finds on the main pages of this role."""
    with eye_of(browser, screens, role, "en") as eye:
        return [barrier for address in screens.main[role] for barrier in eye.barriers(address)]
