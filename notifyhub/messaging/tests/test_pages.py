"""A mail is the same bytes, whether its HTML comes as text or as the bytes of the wire."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifyhub.messaging.channels.base import Message, Page
from notifyhub.messaging.channels.smtp.bodies import LONGEST_LINE, goes_as_it_is
from notifyhub.messaging.channels.smtp.mime import build_mail, message_id, stuff_dots, write_parts
from notifyhub.messaging.rendering.environment import Part, RenderError
from notifyhub.messaging.tests.kit.liquid import Author

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
SENDER = "news@shop.example"
TEMPLATES = (
    "<p>{{ a }}</p>\n{{ b }}\n",
    ".{{ a }}\n.x{% if b %}\n{% endif %}.{{ b }}",
    "a\r\n{{ a }}\n{% if a %}.dot{% endif %}{{ b }}",
    "{% for one in list %}{{ one }}\n{% endfor %}{{ a | escape }}",
    "{% capture c %}{{ a }}\n{{ b }}{% endcapture %}{{ c }}{{ c }}",
    "no places at all\n.but a dot",
    "plain",
)
words = st.text(max_size=40) | st.sampled_from(
    ("", ".", ".a", "\n", "\n.", "\r", "a\r\nb", "x" * 1200, "\0", "李")
)


def mail(**fields: Any) -> Message:
    return Message(reference="1-2", key="k.2", channel="email", to="li@mail.example", text="Hi", **fields)


def both(part: Part, facts: dict[str, Any]) -> tuple[str | None, Page | None]:
    """Return what a text says in each form; None for one that fails."""
    try:
        return part.render(facts), part.page(facts)
    except RenderError:
        return None, part.page(facts)


def assert_same_mail(html: str, page: Page) -> None:
    assert page.html == html
    for eight_bit in (True, False):
        how: dict[str, Any] = {"sender_name": "觅食", "sender": SENDER, "now": NOW, "eight_bit": eight_bit}
        whole = build_mail(mail(html=html), **how)
        message = mail(page=page)
        assert build_mail(message, **how) == whole
        top, middle, end = write_parts(message, message_id(message, SENDER), **how)
        sent = stuff_dots(top) + middle + end if end else stuff_dots(top)
        assert sent == stuff_dots(whole)


@given(source=st.sampled_from(TEMPLATES), a=words, b=words, some=st.lists(words, max_size=80))
@example(source=TEMPLATES[1], a="", b="", some=[])
@example(source=TEMPLATES[0], a="\ud83d", b="", some=[])
def test_a_mail_is_the_same_bytes_from_either(source: str, a: str, b: str, some: list[str]) -> None:
    html, page = both(Part(source, html=True), {"a": a, "b": b, "list": some})
    if page is not None:
        assert html is not None
        assert_same_mail(html, page)


@pytest.mark.parametrize("seed", range(150))
def test_texts_that_try_everything_are_the_same_bytes_from_either(seed: int) -> None:
    author = Author(Random(seed))
    try:
        part = Part(author.text(), html=True)
    except RenderError:
        return
    html, page = both(part, author.facts())
    if page is not None:
        assert html is not None
        assert_same_mail(html, page)


def test_an_ordinary_mail_comes_as_a_page() -> None:
    page = Part("<p>{{ name }}，您好</p>\n<p>好</p>\n", html=True).page({"name": "<李>"})
    assert page == Page("<p>&lt;李&gt;，您好</p>\r\n<p>好</p>\r\n".encode(), False)


@given(st.lists(st.integers(0, 1200), max_size=12), st.booleans())
def test_no_long_line_goes_as_it_is(lengths: list[int], ended: bool) -> None:
    raw = b"\r\n".join(b"x" * length for length in lengths) + (b"\r\n" if ended else b"")
    assert goes_as_it_is(raw) is (max(lengths, default=0) <= LONGEST_LINE)
