"""A complaint is logged by keyboard alone, within the budget of clicks and of patience."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, sync_playwright

from feedback.models import Case
from feedback.tests.factories import make_agent, make_case
from notifyhub.customers.tests.factories import make_customer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture
def page(live_server: Any, client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """Return a browser page signed in as an agent."""
    # Playwright keeps an event loop in this thread; Django would refuse the database beside it.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    client.force_login(make_agent(display_name="Zhou Ning"))
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(locale="en-US", viewport={"width": 1440, "height": 900})
        cookie = client.cookies["sessionid"].value
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
        shown = context.new_page()
        shown.set_default_timeout(15_000)
        wrong: list[str] = []
        shown.on("pageerror", lambda error: wrong.append(str(error)))
        shown.goto(live_server.url + reverse("admin:feedback_case_changelist"))
        yield shown
        browser.close()
        # Beside a running loop Django keeps a second connection; nobody else would close it.
        connections.close_all()
    assert wrong == []


def test_a_complaint_is_logged_without_touching_the_mouse(page: Page) -> None:
    make_customer(phone="13811114321", name="Chen Yutong")
    page.evaluate("window.clicks = 0; addEventListener('pointerdown', () => window.clicks++)")
    page.keyboard.press("n")
    page.wait_for_selector("#fb-phone:focus")
    page.keyboard.type("4321")
    page.wait_for_selector("text=Chen Yutong")
    page.keyboard.press("Enter")
    page.keyboard.press("2")
    page.keyboard.type("The rider never came")
    assert page.evaluate("window.clicks") == 0
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/feedback/case/*/change/")
    case = Case.objects.select_related("customer", "category").get()
    assert (str(case.customer), case.category.code, case.summary) == (
        "Chen Yutong",
        "delivery",
        "The rider never came",
    )
    assert page.evaluate("localStorage.getItem('nh-quicklog')") is None


def test_a_draft_survives_closing_and_a_serious_word_asks_for_detail(page: Page) -> None:
    page.keyboard.press("n")
    page.wait_for_selector("#fb-phone:focus")
    page.keyboard.type("13900002222")
    page.wait_for_selector("text=Nobody has this number")
    page.keyboard.press("Enter")
    page.keyboard.press("3")
    page.keyboard.type("A child was injured by wire in the rice")
    page.wait_for_selector("text=raises the severity to S1")
    assert page.is_visible("#fb-detail")
    page.reload()
    page.keyboard.press("n")
    page.wait_for_selector("text=Draft restored")
    assert page.input_value("#fb-summary") == "A child was injured by wire in the rice"
    page.fill("#fb-detail", "Second bite, the gum bled, the photo is with the order.")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/feedback/case/*/change/")
    assert Case.objects.get().severity == "S1"


def test_the_queue_is_walked_and_claimed_by_keys(page: Page) -> None:
    case = make_case(None)
    page.goto(page.url + "?view=unassigned")
    page.keyboard.press("j")
    page.keyboard.press("c")
    page.wait_for_selector(f"#case-{case.pk} >> text=Zhou Ning")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/feedback/case/{case.pk}/change/")
    page.fill("#fb-body", "We are looking for the rider.")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("text=Queued")
    case.refresh_from_db()
    assert case.state == "open"
