"""What a text may do when it is filled in, and what it may not."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyhub.messaging.rendering.environment import Part, RenderError
from notifyhub.messaging.rendering.html import compile_html
from notifyhub.messaging.rendering.plain import html_to_text
from notifyhub.messaging.rendering.program import Program, RecentPrograms, few_blanks, one_line
from notifyhub.messaging.rendering.variables import masked, missing, secret_names

BOMBS = {
    "a long loop": "{% for i in (1..1000000000) %}x{% endfor %}",
    "nested loops": "{% for i in (1..1000) %}{% for j in (1..1000) %}x{% endfor %}{% endfor %}",
    "many loops": "{% for i in (1..1000) %}{% endfor %}" * 50,
    "a doubling": "{% assign a='xx' %}{% for i in (1..99) %}{% assign a = a | append: a %}{% endfor %}",
    "a huge list": "{{ (1..10000000000) | join: 'x' }}",
    "a product": "{% assign s = '" + "x" * 9000 + "' %}{{ s | replace: 'x', s | replace: 'x', s }}",
    "a long output": "{% for i in (1..1000) %}" + "x" * 900 + "{{ i }}{% endfor %}",
    "deep nesting": "{% if true %}" * 5000,
    "a huge number": "{{ " + "9" * 60 + " | times: " + "9" * 60 + " }}",
    "no file by include": "{% include 'settings.py' %}",
    "no file by render": "{% render 'settings.py' %}",
    "no unescaping": "{{ 'x' | safe }}",
    "an unknown filter": "{{ 'x' | shell }}",
    "a broken tag": "{% if %}",
    "a bad date": "{{ '99999999999999999999' | date: '%Y' }}",
}


@pytest.mark.parametrize("source", BOMBS.values(), ids=BOMBS.keys())
def test_a_text_beyond_its_limits_is_an_error_and_never_a_dead_worker(source: str) -> None:
    with pytest.raises(RenderError):
        Part(source).render({"x": 1})


def test_attributes_of_python_objects_are_out_of_reach() -> None:
    source = "[{{ name.__class__.__mro__ }}{{ name.format }}{{ d.__init__ }}{{ d.keys }}]"
    assert Part(source).render({"name": "x", "d": {"a": 1}}) == "[]"


def test_words_of_a_customer_are_data_and_never_a_template_or_html() -> None:
    assert Part("{{ name }}").render({"name": "{{ secret }}"}) == "{{ secret }}"
    assert Part("<p>{{ name }}</p>", html=True).render({"name": "<b>&"}) == "<p>&lt;b&gt;&amp;</p>"


@given(st.text(max_size=60))
def test_any_text_either_compiles_or_is_an_error_with_words(source: str) -> None:
    with contextlib.suppress(RenderError):
        assert isinstance(Part(source).render({"customer": {"name": "x"}}), str)


def page(body: str, *, opt_out: bool = False) -> str:
    return compile_html(body=body, preheader="", language="en", opt_out=opt_out)


def test_liquid_between_table_rows_stays_in_its_place() -> None:
    source = page("<table>{% for i in items %}<tr><td>{{ i }}</td></tr>{% endfor %}</table>")
    assert "<tr><td>1</td></tr><tr><td>2</td></tr>" in Part(source, html=True).render({"items": [1, 2]})


def test_scripts_and_handlers_and_remote_sheets_are_taken_out() -> None:
    source = page(
        '<p onclick="x()">a</p><script>alert(1)</script><link rel="stylesheet" href="https://t.example/x.css">'
        '<iframe src="https://t.example"></iframe><a href="javascript:alert(1)">b</a><svg onload="x()"></svg>'
    )
    for word in ("onclick", "script", "t.example", "iframe", "onload"):
        assert word not in source


def test_styles_are_written_into_the_tags() -> None:
    assert '<p style="color: red;">' in page("<style>p{color:red}</style><p>a</p>")


def test_a_link_from_a_variable_is_a_link_or_nothing() -> None:
    part = Part(page('<a href="{{ link }}">go</a>'), html=True)
    assert 'href="https://a.example/?a=1&amp;b=2"' in part.render({"link": "https://a.example/?a=1&b=2"})
    assert 'href="#"' in part.render({"link": "javascript:alert(1)"})
    assert "onmouseover=" not in part.render({"link": 'https://a.example" onmouseover="x'}).replace(
        "&#34; onmouseover=", ""
    )


@pytest.mark.parametrize(
    "body",
    [
        "<p>{{ '<img src=x>' }}</p>",
        "<style>p{color:{{ colour }}}</style><p>a</p>",
        '<p style="color:{{ colour }}">a</p>',
        '<a href="{% if a %}javascript:alert(1){% endif %}">x</a>',
        "<p><{{ tag }}>x</p>",
    ],
)
def test_liquid_where_html_cannot_hold_it_is_refused_with_words(body: str) -> None:
    with pytest.raises(RenderError):
        page(body)


def test_plain_text_as_mail_keeps_its_lines_and_is_escaped() -> None:
    source = page("a & b\n{{ name }}")
    assert "a &amp; b\n" in source
    assert "&lt;i&gt;" in Part(source, html=True).render({"name": "<i>"})


def test_a_mail_gets_a_way_out_unless_its_text_has_one() -> None:
    assert page("<p>a</p>", opt_out=True).count("unsubscribe_url") == 1
    assert page('<a href="{{ unsubscribe_url }}">no more</a>', opt_out=True).count("unsubscribe_url") == 1
    assert "unsubscribe_url" not in page("<p>a</p>")


def test_the_plain_part_reads_like_the_mail() -> None:
    text = html_to_text(page('<h1>Hi {{ name }}</h1><p>See <a href="https://a.example">this</a></p>'))
    assert Part(text).render({"name": "<Ann>"}) == "Hi <Ann>\n\nSee this (https://a.example)"


def test_the_preview_line_comes_first_and_is_not_in_the_plain_part() -> None:
    source = compile_html(body="<p>a</p>", preheader="Only {{ n }} left", language="en", opt_out=False)
    assert source.index("Only {{ n }} left") < source.index("<p>a</p>")
    assert "Only" not in html_to_text(source)


def test_secret_variables_are_known_by_name_or_by_list() -> None:
    variables = {"secret_code": "123456", "pin": "1", "name": "x", "_secret": ["pin"]}
    assert secret_names(variables) == {"secret_code", "pin"}
    assert masked(variables)["name"] == "x"
    assert "123456" not in str(masked(variables))


def test_missing_variables_are_named() -> None:
    paths = Part("{{ customer.name }}{{ order.number }}{{ customer.city }}").variables()
    assert missing(paths, {"customer": {"name": "x", "city": ""}}) == ["customer.city", "order.number"]


@given(st.text(alphabet="a 字\u3000\t\n\r\x00\x1f\x7f\x85\u2028", max_size=30))
def test_a_subject_is_one_line_and_a_text_has_few_blank_ones(text: str) -> None:
    assert one_line(text) == re.sub(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+", " ", text).strip()
    assert few_blanks(text) == re.sub(r"\n[ \t]*(?:\n[ \t]*){2,}", "\n\n", text).strip()


def test_the_program_that_was_asked_for_longest_ago_goes_first() -> None:
    recent = RecentPrograms({1: Program({}), 2: Program({})})
    assert recent[1] is recent[1]
    recent.popitem(last=False)
    assert list(recent) == [1]
