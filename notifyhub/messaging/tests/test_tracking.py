"""Links that lead through this house: short, signed, counted, and never anywhere else."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from notifyhub.customers.models import Customer
from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.models import Delivery, DeliveryEvent, Link, Template, TemplateVersion
from notifyhub.messaging.services.templates import create_template, publish, save_content, update_template
from notifyhub.messaging.tests.kit.sending import dispatch_to, drain, make_recipients, memory_account
from notifyhub.messaging.tracking import finding
from notifyhub.messaging.tracking.hits import AUTOMATIC
from notifyhub.messaging.tracking.short import (
    ID_BLOCK,
    delivery_at,
    make_short,
    make_stem,
    place_of,
    read_short,
)

BROWSER = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Safari/605.1.15"
SHOP = "https://shop.example/offers?city=1&kind=2"
BODY = f"""<h1>Hello {{{{ customer.name }}}}</h1>
<p><a href="{SHOP.replace("&", "&amp;")}">Offers</a> <a href="https://shop.example/help">Help</a>
<a href="https://shop.example/me/{{{{ customer.number }}}}">You</a></p>"""


@pytest.fixture(autouse=True)
def at_once(settings: Any) -> Iterator[None]:
    settings.TRACKING_SECONDS = 0
    finding.forget()
    yield
    finding.forget()


def published(body: str = BODY, *, channel: str = "email", **fields: Any) -> TemplateVersion:
    customer = make_recipients("auto", name="Li <b>Lei</b>")[0]
    topic = customer.consents.first().topic  # type: ignore[union-attr]
    template = create_template(
        key="offers", name="Offers", message_class="promotional", topic=topic, channel=channel, language="en"
    )
    if fields:
        Template.objects.filter(pk=template.pk).update(**fields)
    save_content(
        template_id=template.pk, channel=channel, language="en", version=1, subject="Offers", body=body
    )
    return publish(template_id=template.pk)


def sent(version: TemplateVersion, channel: str = "email") -> Any:
    memory_account(channel)
    dispatch_to(
        template_version=version, topic=version.template.topic, text=None, chain=[{"channel": channel}]
    )
    drain()
    return MemoryBackend.outbox[0]


def paths(text: str, letter: str) -> list[str]:
    return [urlsplit(one).path for one in re.findall(rf"http://localhost:8000/{letter}/[\w-]+", text)]


def long_ago() -> None:
    """Let the hand-over be an hour old: whoever clicks at once is a scanner."""
    row = Delivery.objects.get()
    before = row.settled_at - timedelta(hours=1) if row.settled_at else None
    Delivery.objects.filter(dispatch_id=row.dispatch_id, pk=row.pk).update(settled_at=before)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**26 - 1), st.integers(0, 63))
def test_a_token_says_what_was_put_in_and_is_sixteen_characters(dispatch: int, place: int, link: int) -> None:
    token = make_short(stem=make_stem(dispatch_id=dispatch, place=place), link=link)
    assert re.fullmatch(r"[\w-]{16}", token)
    found = read_short(token)
    assert found is not None
    assert (found.dispatch_id, found.place, found.link) == (dispatch, place, link)


@given(st.text(max_size=20))
def test_what_is_no_token_is_none(text: str) -> None:
    assert read_short(text) is None


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**26 - 1), st.integers(0, 89))
def test_a_token_with_one_bit_changed_is_none(dispatch: int, place: int, bit: int) -> None:
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    token = make_short(stem=make_stem(dispatch_id=dispatch, place=place))
    at = 1 + bit // 6
    changed = digits[digits.index(token[at]) ^ 1 << bit % 6]
    assert read_short(token[:at] + changed + token[at + 1 :]) is None


def test_a_token_outlives_a_change_of_the_secret_key(settings: Any) -> None:
    token = make_short(stem=make_stem(dispatch_id=7, place=9))
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another"
    assert read_short(token) is not None
    settings.SECRET_KEY_FALLBACKS = []
    assert read_short(token) is None


@given(st.lists(st.integers(0, 1000), unique=True, min_size=1).map(sorted), st.data())
def test_places_and_messages_belong_together(numbers: list[int], data: Any) -> None:
    blocks = [number * ID_BLOCK for number in numbers]
    delivery = data.draw(st.sampled_from(blocks)) + data.draw(st.integers(0, ID_BLOCK - 1))
    place = place_of(blocks=blocks, delivery_id=delivery)
    assert place is not None
    assert delivery_at(blocks=blocks, place=place) == delivery
    assert place_of(blocks=blocks, delivery_id=blocks[-1] + ID_BLOCK) is None
    assert place_of(blocks=blocks, delivery_id=-1) is None
    assert delivery_at(blocks=blocks, place=len(blocks) * ID_BLOCK) is None


@pytest.mark.django_db
def test_addresses_are_stored_when_the_text_is_published() -> None:
    version = published()
    assert list(Link.objects.values_list("number", "url")) == [(0, SHOP), (1, "https://shop.example/help")]
    assert SHOP not in version.contents.get().compiled


@pytest.mark.django_db
def test_a_click_leads_to_the_stored_address_and_is_counted(client: Client) -> None:
    message = sent(published())
    first, second = paths(message.html, "c")
    assert "https://shop.example/me/" in message.html
    assert first in message.text
    long_ago()
    answer = client.get(first, HTTP_USER_AGENT=BROWSER)
    assert (answer.status_code, answer["Location"]) == (302, SHOP)
    assert answer["Cache-Control"] == "no-store"
    event = DeliveryEvent.objects.get(kind="clicked")
    assert (event.code, event.detail) == ("0", "")
    assert Delivery.objects.get().read_at is not None
    assert client.get(second, HTTP_USER_AGENT=BROWSER)["Location"] == "https://shop.example/help"


@pytest.mark.django_db
def test_nothing_in_the_request_can_choose_another_address(client: Client) -> None:
    (first, _second) = paths(sent(published()).html, "c")
    for bad in (
        first[:-1],
        first + "A",
        first[:-1] + ("A" if first[-1] != "A" else "B"),
        "/c/" + "A" * 16,
        "/c/_" + first[4:],
        "/c/" + "é" * 16,
    ):
        answer = client.get(bad, HTTP_USER_AGENT=BROWSER)
        assert answer.status_code == 404, bad
        assert "no longer valid" in answer.content.decode()
    answer = client.get(first + "?url=https://evil.example", HTTP_USER_AGENT=BROWSER)
    assert answer["Location"] == SHOP


@pytest.mark.django_db
def test_scanners_are_answered_and_do_not_count_as_readers(client: Client) -> None:
    first, _second = paths(sent(published()).html, "c")
    assert client.head(first).status_code == 200
    assert not DeliveryEvent.objects.filter(kind="clicked").exists()
    client.get(first, HTTP_USER_AGENT=BROWSER)
    long_ago()
    client.get(first, HTTP_USER_AGENT="SafeLinks scanner/2.0")
    client.get(first, HTTP_USER_AGENT="")
    details = DeliveryEvent.objects.filter(kind="clicked").values_list("detail", flat=True)
    assert list(details) == [AUTOMATIC] * 3
    assert Delivery.objects.get().read_at is None


@pytest.mark.django_db
def test_an_opening_is_an_event_and_says_nothing_about_reading(client: Client) -> None:
    message = sent(published())
    long_ago()
    (image,) = paths(message.html, "o")
    answer = client.get(image, HTTP_USER_AGENT=BROWSER)
    assert answer["Content-Type"] == "image/gif"
    assert DeliveryEvent.objects.filter(kind="opened").count() == 1
    assert Delivery.objects.get().read_at is None
    assert client.get("/o/" + "A" * 16).status_code == 200
    assert DeliveryEvent.objects.filter(kind="opened").count() == 1


@pytest.mark.django_db
def test_a_click_costs_no_question_about_the_address_after_the_first(client: Client, settings: Any) -> None:
    first, second = paths(sent(published()).html, "c")
    client.get(first, HTTP_USER_AGENT=BROWSER)
    settings.TRACKING_SECONDS = 3600
    with CaptureQueriesContext(
        connection,
    ) as queries:
        client.get(second, HTTP_USER_AGENT=BROWSER)
    assert len(queries) == 0
    from notifyhub.messaging.tracking.hits import buffer

    assert buffer.flush() == 1
    assert DeliveryEvent.objects.filter(kind="clicked").count() == 2


@pytest.mark.django_db
def test_a_link_in_an_sms_is_short_and_ends_where_the_address_ends(client: Client) -> None:
    body = (
        "{{ customer.name }}: 看 https://shop.example/a。"
        "Or https://shop.example/{{ customer.number }}x Reply STOP"
    )
    version = published(body, channel="sms")
    customer = Customer.objects.get()
    assert customer is not None
    message = sent(version, "sms")
    (path,) = paths(message.text, "c")
    assert len(path) == len("/c/") + 16
    assert f"{path}。Or https://shop.example/{customer.external_id}x" in message.text
    assert client.get(path, HTTP_USER_AGENT=BROWSER)["Location"] == "https://shop.example/a"


@pytest.mark.django_db
def test_a_template_may_leave_its_links_alone() -> None:
    version = published(track_links=False)
    assert not Link.objects.exists()
    message = sent(version)
    assert SHOP.replace("&", "&amp;") in message.html
    assert "/o/" not in message.html


@pytest.mark.django_db
def test_counting_can_be_switched_off_in_the_studio(admin_client: Client) -> None:
    template = published().template
    url = f"/admin/messaging/template/{template.pk}/settings"
    facts = {"name": template.name, "expected_version": template.version, "tracking_shown": "1"}
    assert template.track_links
    admin_client.post(url, facts)
    admin_client.post(url + "/", facts)
    template.refresh_from_db()
    assert not template.track_links
    update_template(template_id=template.pk, changes={"track_links": True}, version=None)
    template.refresh_from_db()
    assert template.track_links


@pytest.mark.django_db
def test_the_page_says_when_they_agreed_and_how_to_stop(client: Client) -> None:
    message = sent(published())
    (why,) = paths(message.html, "w")
    page = client.get(why).content.decode()
    assert "Why you got this message" in page
    assert "Food deals" in page
    assert "/u/" in page
    assert "Li" not in page
    assert not DeliveryEvent.objects.exclude(kind="sent").exists()
    for gone in ("/w/" + "B" * 16, "/c/bad"):
        answer = client.get(gone)
        assert answer.status_code == 404
        assert "<title>This link is no longer valid</title>" in answer.content.decode()
