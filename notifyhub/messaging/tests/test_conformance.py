"""What a text says does not depend on who fills it in: a generated function or python-liquid itself."""

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from liquid.builtin.filters.misc import _to_date
from liquid.exceptions import LiquidError

from notifyhub.messaging.demo.texts import TEMPLATES
from notifyhub.messaging.rendering.environment import HTML, TEXT, Part, RenderError
from notifyhub.messaging.rendering.fast import compile_template
from notifyhub.messaging.rendering.fast.runtime import Unsure
from notifyhub.messaging.rendering.html import compile_html
from notifyhub.messaging.rendering.plain import html_to_text
from notifyhub.messaging.tests.kit.liquid import Author

RAISES = "it raises"
UNSURE = "it asks the library"
PERSON = {
    "name": '李 <雷> & "co"\'s',
    "city": "",
    "number": "C-7",
    "attributes": {
        "level": "gold",
        "points": 120,
        "rate": 1.50,
        "vip": True,
        "since": "2024-02-29",
        "no": None,
    },
    "tags": ["new", "<b>", 3, None, ["x", 1.0]],
}
FACTS: dict[str, Any] = {
    "customer": PERSON,
    "order": {
        "number": "A<1>",
        "amount_due": 12.5,
        "due_at": "2026-10-01 08:30",
        "lines": [{"n": i} for i in range(5)],
    },
    "unsubscribe_url": "https://shop.example/u/a?b=1&c=2",
    "zero": 0,
    "big": 10**30,
    "cr": "a\rb\r\nc\r",
    "lf": "\nd",
    "half": "\ud83d",
}
# By what they try; each is filled in as plain text and as HTML.
CASES = {
    "words and values": (
        "Hi {{ customer.name }} {{ customer.attributes.points }} {{ customer.attributes.rate }}!"
    ),
    "true, nil, lists, maps": (
        "{{ customer.attributes.vip }}|{{ customer.attributes.no }}|{{ customer.tags }}|{{ order }}"
    ),
    "what is not there": (
        "[{{ a }}{{ a.b }}{{ customer.name.x }}{{ customer.tags[9] }}{{ customer.tags.x }}]"
    ),
    "brackets": (
        "{{ customer['name'] }}{{ customer.tags[0] }}{{ customer.tags[-1] }}{{ order[customer.city] }}"
    ),
    "properties": (
        "{{ customer.tags.size }}{{ customer.tags.first }}{{ customer.tags.last }}{{ order.first }}"
    ),
    "a name of the library": (
        "{{ partial }}{% assign partial = 1 %}{{ partial }}{{ empty }}{{ blank }}{{ nil }}"
    ),
    "literals": "{{ 'a<b' }}{{ 1 }}{{ -2.50 }}{{ true }}{{ (1..3) }}{{ (3..1) }}{{ (1..zero) }}",
    "literals beside words": "{{ 'a<b' }} 'said' \"<i>\" {{ \"it's\" }}{{ 1 }}&",
    "the clock": "{% if now %}a{% endif %}{% if today %}b{% endif %}{{ now.x }}{% assign now = 1 %}{{ now }}",
    "a line end on both sides of a tag": "a\r{% comment %}{% endcomment %}\nb\r{{ lf }}{{ cr }}\nc",
    "line ends": (
        "a\r\nb\r{{ cr }}{{ lf }}\r\n{% capture c %}{{ cr }}{{ lf }}{% endcapture %}{{ c | size }}{{ c }}"
    ),
    "escaping": (
        "{{ '<' | append: customer.name }}{{ customer.name | escape }}{{ customer.tags | join: '<' }}"
    ),
    "safe and unsafe words": (
        "{% capture c %}<b>{{ customer.name }}{% endcapture %}{{ c }}{{ c | append: '<' }}"
    ),
    "defaults": (
        "{{ customer.city | default: '同城' }}{{ zero | default: 1 }}"
        "{{ false | default: 2, allow_false: true }}"
    ),
    "dates": (
        "{{ customer.attributes.since | date: '%d.%m.%Y' }}{{ order.due_at | date: '%H:%M' }}"
        "{{ 0 | date: '%Y' }}"
    ),
    "numbers": (
        "{{ 7 | divided_by: 2 }}{{ 7 | times: 1.1 }}{{ customer.attributes.rate | plus: 1 }}"
        "{{ '3' | minus: 1 }}"
    ),
    "links": "{{ unsubscribe_url | link_url }}{{ customer.name | link_url }}",
    "conditions": (
        "{% if customer.city == '' and zero == 0 or big %}a{% elsif zero < 1 %}b{% else %}"
        "c{% endif %}{% unless customer.attributes.level != 'gold' %}d{% else %}"
        "e{% endunless %}{% if customer.tags contains 'new' %}f{% endif %}"
        "{% if customer.city == blank %}g{% endif %}{% if a == empty %}h{% endif %}"
        "{% if order.lines == empty %}i{% endif %}{% if 1 == true %}j{% endif %}"
        "{% if a == nil and a != false %}k{% endif %}{% if '10' > '9' %}l{% endif %}"
        "{% if 1 <= 1.0 %}m{% endif %}"
    ),
    "conditions that would fail are not looked at": (
        "{% if zero == 1 and customer < 3 %}{% else %}x{% endif %}"
    ),
    "a case": (
        "{% case customer.attributes.level %}{% when 'silver', 'gold' %}1{% when 'gold' %}"
        "2{% else %}3{% endcase %}"
    ),
    "a case that changes under way": (
        "{% assign x = 1 %}{% case x %}{% when 1 %}{% assign x = 2 %}{% when 2 %}b{% endcase %}"
    ),
    "loops": (
        "{% for l in order.lines %}{{ forloop.index }}/{{ forloop.length }}"
        "{{ forloop.rindex0 }}{{ l.n }}{% if forloop.last %}!{% endif %}{% else %}"
        "none{% endfor %}{% for x in a %}{% else %}none{% endfor %}"
    ),
    "loops with arguments": (
        "{% for l in order.lines limit: 2 offset: 1 %}{{ l.n }}{% endfor %}"
        "{% for l in order.lines offset: continue %}{{ l.n }}{% endfor %}"
        "{% for l in order.lines reversed limit: 2 %}{{ l.n }}{% endfor %}{% for i in (1..9) %}"
        "{% if i == 3 %}{% continue %}{% elsif i > 5 %}{% break %}{% endif %}{{ i }}"
        "{% endfor %}"
    ),
    "loops over words and maps": (
        "{% for x in customer.name %}{{ x }}{% endfor %}{% for x in customer %}{{ x[0] }}{% endfor %}"
    ),
    "loops in loops": (
        "{% for a in (1..3) %}{% for b in (1..2) %}{{ forloop.parentloop.index }}"
        "{{ forloop.name }}{{ b }}{{ a }}{% endfor %}{{ forloop }}{{ a }}{% endfor %}{{ a }}"
    ),
    "a loop's name hides others": (
        "{% assign x = 1 %}{% for x in (5..6) %}{{ x }}{% assign x = 9 %}{% endfor %}{{ x }}"
    ),
    "cycles": (
        "{% for i in (1..5) %}{% cycle 'a', '<', customer.name %}{% cycle 'g': 1, 2 %}"
        "{% endfor %}{% cycle 'g': 1 %}"
    ),
    "blanks around tags are kept or dropped": (
        "a {%- if true %} \n {% endif -%} b{% for i in (1..2) %} {% assign x = i %} {% endfor %}c"
    ),
    "a capture among blanks": "{% if true %} {% capture c %}x{% endcapture %} {% endif %}{{ c }}",
    "comments and raw": (
        "{% comment %}{{ a }}{% endcomment %}{% raw %}{{ a }}{% endraw %}{% # note %}"
        "{% liquid echo 1\n echo 2 %}"
    ),
    "many parts": "{{ customer.number }}{{ a }}" * 200,
}
FAILING = {
    "comparing words with numbers": "x{% if customer.name < 3 %}{% endif %}",
    "a bad argument": "{{ customer.name | date }}",
    "a division by zero": "{{ 1 | divided_by: zero }}",
    "half a character": "{{ half }}",
    "half a character that is not printed": "{% capture c %}{{ half }}{% endcapture %}",
    "a break outside a loop": "a{% break %}",
    "too many rounds": "{% for i in (1..1001) %}{% endfor %}",
    "too many rounds in a loop": "{% for i in (1..40) %}{% for j in (1..26) %}{% endfor %}{% endfor %}",
    "too many rounds in all": "{% for i in (1..1000) %}{% endfor %}" * 6,
    "too much output": "{% for i in (1..1000) %}" + "x" * 201 + "{% endfor %}",
    "too much is captured": "{% capture c %}" + "字" * 70_000 + "{% endcapture %}",
    "too much is kept in all": "{% capture c %}"
    + "x" * 8_000
    + "{% endcapture %}{% assign d = c | append: 'x' %}"
    "{% assign e = c | append: 'y' %}",
    "too much is kept": "{% capture c %}" + "x" * 21_000 + "{% endcapture %}",
    "a limit of nothing": "{% for i in (1..3) limit: customer.attributes.no %}{% endfor %}",
    "a limit below nothing": "{% for i in (1..3) limit: -2 %}{% endfor %}",
}


def outcomes(source: str, facts: dict[str, Any], *, html: bool) -> tuple[str, str]:
    """Return what the library and what the function for the text make of it."""
    template = (HTML if html else TEXT).from_string(source)
    fill = compile_template(template)
    assert fill is not None, source
    # The library keeps dates it has read by equality: after 1 it knows True and 1.0 too.
    _to_date.cache_clear()
    try:
        wanted = template.render(facts)
    except Exception:
        wanted = RAISES
    _to_date.cache_clear()
    try:
        given = fill(facts)
    except Unsure:
        given = UNSURE
    except Exception:
        given = RAISES
    return wanted, given


@pytest.mark.parametrize("html", [False, True], ids=["text", "html"])
@pytest.mark.parametrize("source", CASES.values(), ids=CASES.keys())
def test_each_feature_gives_the_librarys_bytes(source: str, html: bool) -> None:
    wanted, given = outcomes(source, FACTS, html=html)
    assert given == wanted
    assert wanted != RAISES


@pytest.mark.parametrize("source", FAILING.values(), ids=FAILING.keys())
def test_what_the_library_refuses_is_refused(source: str) -> None:
    wanted, given = outcomes(source, FACTS, html=False)
    assert wanted == RAISES
    assert given in (RAISES, UNSURE)
    with pytest.raises(RenderError):
        Part(source).render(FACTS)


@given(st.integers(min_value=0), st.booleans())
@settings(max_examples=250, deadline=None)
def test_any_text_with_any_facts_gives_the_librarys_bytes_or_fails_where_it_does(
    seed: int, gentle: bool
) -> None:
    author = Author(Random(seed), gentle=gentle)
    source, facts = author.text(), [author.facts() for _ in range(3)]
    try:
        TEXT.from_string(source)
    except LiquidError:
        return
    for html in (False, True):
        for some in facts:
            wanted, given = outcomes(source, some, html=html)
            assert given in (wanted, UNSURE), (source, some)
            part = Part(source, html=html)
            if part.template is None:
                continue
            if wanted == RAISES:
                with pytest.raises(RenderError):
                    part.render(some)
            else:
                assert part.render(some) == wanted


SHIPPED = [
    pytest.param(channel, language, subject, body, id=f"{key}-{channel}-{language}")
    for key, (_name, _class, _topic, texts) in TEMPLATES.items()
    for (channel, language), (subject, body) in texts.items()
]


@pytest.mark.parametrize(("channel", "language", "subject", "body"), SHIPPED)
def test_every_shipped_text_is_filled_in_by_a_function(
    channel: str, language: str, subject: str, body: str
) -> None:
    sources = [(subject, False), (body, False)]
    if channel == "email":
        page = compile_html(body=body, preheader="{{ customer.city }}", language=language, opt_out=True)
        sources = [(subject, False), (page, True), (html_to_text(page), False)]
    for source, html in sources:
        for facts in (FACTS, {}, {"customer": {"name": "x"}}):
            wanted, given = outcomes(source, facts, html=html)
            assert given == wanted


def test_a_text_beyond_what_is_known_is_filled_in_by_the_library() -> None:
    source = "{{ [key] }}{% if true %}" + "{% if true %}x" * 3 + "{% endif %}" * 4
    assert compile_template(TEXT.from_string(source)) is None
    assert Part(source).render({"key": "name", "name": "y"}) == "yxxx"


def test_more_turnings_than_python_has_indents_are_left_to_the_library() -> None:
    source = "{% if a == 0 %}0" + "".join(f"{{% elsif a == {n} %}}{n}" for n in range(1, 150)) + "{% endif %}"
    assert Part(source).render({"a": 149}) == "149"


def test_a_failure_has_the_librarys_words_and_line() -> None:
    with pytest.raises(RenderError) as failure:
        Part("a\n{% if customer.name < 3 %}{% endif %}").render(FACTS)
    assert (failure.value.line, "not supported between 'str' and 'int'" in str(failure.value)) == (2, True)


WORDS_IN_PYTHON = (
    '"',
    "'",
    "\\",
    '"""',
    "'''",
    "\\N{BULLET}",
    "{D}",
    "__import__('os')",
    "\n    import os\n",
    "#",
    ")",
)


@pytest.mark.parametrize("words", WORDS_IN_PYTHON)
def test_no_words_of_an_author_are_python(words: str) -> None:
    quote = "'" if '"' in words else '"'
    quoted = quote + words.replace(quote, "") + quote
    source = f"{words}{{{{ a[{quoted}] | default: {quoted} }}}}{{% cycle {quoted} %}}"
    wanted, given = outcomes(source, {"a": {}}, html=False)
    assert given == wanted == words + quoted[1:-1] * 2


def test_no_name_of_an_author_is_python() -> None:
    source = (
        "{% assign fill = 1 %}{% assign D = 2 %}"
        "{% for check in (1..2) %}{{ check }}{{ fill }}{{ D }}{{ o }}{% endfor %}"
    )
    wanted, given = outcomes(source, {"o": "x", "class": 1}, html=False)
    assert given == wanted == "112x212x"
    wanted, given = outcomes(
        "{{ class }}{{ a | default: class, allow_false: None }}", {"class": 1}, html=False
    )
    assert given == wanted == "11"
