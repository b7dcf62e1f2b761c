"""What staff see of a message: its own links work where they may be tried, and none acts for the customer."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from notifyhub.messaging.models import Delivery, DeliveryEvent, Dispatch
from notifyhub.messaging.rendering.links import unsubscribe_url
from notifyhub.messaging.rendering.program import Rendered
from notifyhub.messaging.services.copies import unpack_and_show
from notifyhub.messaging.services.showing import for_staff
from notifyhub.messaging.tests.kit.sending import dispatch_to, drain
from notifyhub.messaging.tests.test_tracking import BROWSER, SHOP, at_once, long_ago, published
from notifyhub.staff import roles
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db
assert at_once
SMS = "Offers at https://shop.example/offers today. Stop: {{ unsubscribe_url }} Reply STOP"


def to_sandbox(channel: str, body: str) -> Delivery:
    """Send a promotional message through the sandbox; return it."""
    version = published(body, channel=channel)
    topic = version.template.topic
    dispatch_to(template_version=version, topic=topic, text=None, chain=[{"channel": channel}])
    drain()
    return Delivery.objects.get(state=Delivery.State.DELIVERED)


@pytest.fixture
def editor(client: Client) -> Client:
    client.force_login(make_user(roles.MARKETING_EDITOR))
    return client


def sandbox(client: Client) -> str:
    return client.get(reverse("admin:messaging_delivery_sandbox")).content.decode()


def clicks() -> int:
    return DeliveryEvent.objects.filter(kind="clicked").count()


@pytest.mark.parametrize(
    ("channel", "body", "leads"),
    [
        ("email", f'<p><a href="{SHOP.replace("&", "&amp;")}">Offers</a></p>', SHOP),
        ("sms", SMS, "https://shop.example/offers"),
    ],
)
def test_clicks_can_be_tried_from_the_sandbox(editor: Client, channel: str, body: str, leads: str) -> None:
    to_sandbox(channel, body)
    long_ago()
    page = sandbox(editor)
    link = re.search(r'href="(/c/[\w-]{16})" target="_blank" rel="noopener"', page)
    assert link is not None
    answer = editor.get(link[1], headers={"User-Agent": BROWSER})
    assert (answer.status_code, answer["Location"]) == (302, leads)
    assert clicks() == 1


def test_a_message_without_counted_links_shows_none(editor: Client) -> None:
    to_sandbox("email", "<p>Nothing to click, {{ customer.name }}</p>")
    assert "/c/" not in sandbox(editor)
    assert "<b>Lei</b>" not in sandbox(editor)


def test_the_unsubscribe_link_of_a_customer_is_switched_off_for_staff(editor: Client) -> None:
    row = to_sandbox("sms", SMS)
    page = editor.get(reverse("admin:messaging_delivery_page", args=[row.reference])).content.decode()
    for text in (page, sandbox(editor)):
        assert "/u/" not in text
        assert "[unsubscribe link of the customer]" in text
    assert "The unsubscribe link is switched off here" in page
    # What is kept is what was sent.
    kept = unpack_and_show(Dispatch.objects.get(), row)
    assert kept is not None
    assert "/u/" in kept.text


def test_the_mail_that_staff_see_has_no_live_way_out(editor: Client) -> None:
    row = to_sandbox("email", "<p>Hello</p>")
    frame = editor.get(reverse("admin:messaging_delivery_mail", args=[row.reference])).content.decode()
    assert "/u/" not in frame
    assert 'aria-disabled="true"' in frame
    page = editor.get(reverse("admin:messaging_delivery_page", args=[row.reference])).content.decode()
    assert "The unsubscribe link is switched off here" in page


def test_addresses_that_only_look_like_it_stay() -> None:
    ours = unsubscribe_url(dispatch_id=1, delivery_id=2)
    said = Rendered(
        subject="x",
        text=f"see https://shop.example/u/profile, {ours}.",
        html=f"<a href='{ours}'>out</a> <a href=\"https://shop.example/u/profile\">me</a>",
    )
    shown, had = for_staff(said)
    assert had
    assert "https://shop.example/u/profile" in shown.text
    assert ours not in shown.text
    assert ours not in str(shown.html)
    assert 'href="https://shop.example/u/profile"' in str(shown.html)
    plain: Any = Rendered(subject="a", text="b")
    assert for_staff(plain) == (plain, False)
