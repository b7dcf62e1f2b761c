"""Writing and publishing templates, through the services."""

import pytest

from notifyhub.core.errors import Conflict, Refused
from notifyhub.customers.tests.factories import make_topic
from notifyhub.messaging.models import Content, MessageCopy, TemplateVersion
from notifyhub.messaging.rendering import program_for
from notifyhub.messaging.services.copies import pack, unpack_and_show
from notifyhub.messaging.services.templates import (
    check_content,
    create_template,
    discard_draft,
    open_draft,
    publish,
    remove_content,
    save_content,
)
from notifyhub.messaging.services.templates.sms import measure
from notifyhub.messaging.tests.factories import make_delivery, make_dispatch, make_template, make_version
from notifyhub.staff.models import AuditEntry

pytestmark = pytest.mark.django_db


def text_of(template_id: int, channel: str = "email", language: str = "en") -> Content:
    return Content.objects.filter(
        template_version__template_id=template_id, channel=channel, language=language
    ).latest("template_version__number")


def test_a_new_template_is_a_draft_with_an_empty_first_text() -> None:
    template = create_template(name="Check-in", message_class="transactional", channel="sms", language="en")
    version = template.versions.get()
    assert (version.state, version.number, template.key) == ("draft", 1, "check-in")
    assert version.contents.get().body == ""


def test_only_transactional_templates_go_without_a_topic_and_the_topic_fits_the_class() -> None:
    with pytest.raises(Refused) as refusal:
        create_template(name="x", message_class="promotional", channel="sms", language="en")
    assert refusal.value.field == "topic"
    with pytest.raises(Refused):
        create_template(
            name="x",
            message_class="promotional",
            topic=make_topic("bills", "service"),
            channel="sms",
            language="en",
        )


def test_a_taken_key_is_refused_beside_its_field() -> None:
    make_template(key="twice")
    with pytest.raises(Refused) as refusal:
        make_template(key="twice")
    assert refusal.value.field == "key"


def test_a_stale_text_is_a_conflict_and_changes_nothing() -> None:
    template = make_template()
    current = text_of(template.pk)
    save_content(template_id=template.pk, channel="email", language="en", body="new", version=current.version)
    with pytest.raises(Conflict) as conflict:
        save_content(
            template_id=template.pk, channel="email", language="en", body="old", version=current.version
        )
    assert conflict.value.current == current.version + 1
    assert text_of(template.pk).body == "new"


def test_the_first_edit_after_publishing_makes_a_draft_and_leaves_what_is_sent() -> None:
    version = make_version(("email", "en"), ("sms", "en"))
    seen = version.contents.get(channel="email")
    save_content(
        template_id=version.template_id, channel="email", language="en", body="<p>b</p>", version=seen.version
    )
    draft = version.template.versions.get(state="draft")
    assert draft.number == 2
    assert draft.contents.count() == 2
    assert version.contents.get(channel="email").body == seen.body


def test_publishing_freezes_compiles_and_replaces() -> None:
    first = make_version()
    content = first.contents.get()
    assert content.compiled.startswith("<!doctype html>")
    assert "unsubscribe_url" in content.compiled
    assert content.variables == ["customer.name"]
    assert len(first.digest) == 64
    open_draft(template_id=first.template_id)
    second = publish(template_id=first.template_id, note="again")
    first.refresh_from_db()
    assert (first.state, second.state, second.number) == ("retired", "published", 2)
    assert second.digest == first.digest
    assert AuditEntry.objects.filter(verb="publish_template").count() == 2


def test_nothing_to_publish_and_another_draft_than_seen_are_refused() -> None:
    version = make_version()
    with pytest.raises(Refused):
        publish(template_id=version.template_id)
    open_draft(template_id=version.template_id)
    with pytest.raises(Conflict):
        publish(template_id=version.template_id, number=1)


@pytest.mark.parametrize(
    ("channel", "language", "text", "words"),
    [
        ("email", "en", {"subject": "", "body": "x"}, "Write a subject"),
        ("push", "en", {"subject": "", "body": "x"}, "Write a title"),
        ("email", "en", {"subject": "a", "body": " "}, "Write the text"),
        ("email", "en", {"subject": "{{ a", "body": "{% if %}"}, "after its first word"),
        ("email", "en", {"subject": "a", "body": "<style>p{color:{{x}}}</style><p>a</p>"}, "style"),
        ("sms", "zh-hans", {"body": "满120减30"}, "拒收请回复R"),
        ("sms", "zh-hans", {"body": "拒收请回复R，满120减30"}, "拒收请回复R"),
        ("sms", "en", {"body": "30 off"}, "Reply STOP"),
        ("sms", "zh-hans", {"body": "长" * 400 + "拒收请回复R"}, "parts"),
    ],
)
def test_a_text_that_may_not_go_out_is_not_published(
    channel: str, language: str, text: dict[str, str], words: str
) -> None:
    template = make_template()
    save_content(template_id=template.pk, channel=channel, language=language, **text)
    with pytest.raises(Refused, match=words):
        publish(template_id=template.pk)
    assert not TemplateVersion.objects.filter(state="published").exists()


def test_doubts_are_warnings_and_do_not_stop() -> None:
    template = make_template()
    content = text_of(template.pk)
    content.body = (
        '<p>最佳 {{ customer.first_name }} {{ order.number }}</p><img src="https://a.example/a.png">'
    )
    words = " ".join(one.text for one in check_content(content=content, template=template))
    for word in ("customer.first_name", "order.number", "最佳", "alternative text"):
        assert word in words


def test_a_draft_that_is_all_there_is_stays() -> None:
    template = make_template()
    with pytest.raises(Refused):
        discard_draft(template_id=template.pk)
    publish(template_id=template.pk)
    open_draft(template_id=template.pk)
    assert discard_draft(template_id=template.pk) == 2


def test_a_text_can_be_taken_out() -> None:
    template = make_template(("email", "en"), ("sms", "en"))
    assert remove_content(template_id=template.pk, channel="sms", language="en") == 1
    assert remove_content(template_id=template.pk, channel="sms", language="en") == 0


@pytest.mark.parametrize(
    ("text", "signature", "mainland", "expected"),
    [
        ("", "", True, (0, 0)),
        ("长" * 70, "", True, (70, 1)),
        ("长" * 71, "", True, (71, 2)),
        ("长" * 66, "路安", True, (70, 1)),
        ("长" * 67, "路安", True, (71, 2)),
        ("长" * 134, "", True, (134, 2)),
        ("长" * 135, "", True, (135, 3)),
        ("a" * 160, "", False, (160, 1)),
        ("a" * 161, "", False, (161, 2)),
        ("€" * 80, "", False, (160, 1)),
        ("😀" * 35, "", True, (70, 1)),
        ("a" * 71, "", True, (71, 2)),
    ],
)
def test_an_sms_is_counted_as_it_is_billed(
    text: str, signature: str, mainland: bool, expected: tuple[int, int]
) -> None:
    size = measure(text=text, signature=signature, mainland=mainland)
    assert (size.characters, size.parts) == expected


def test_a_program_speaks_the_customers_language_or_the_next_best() -> None:
    program = program_for(
        make_dispatch(version=make_version(("email", "en"), ("email", "zh-hans"), ("sms", "en")))
    )
    variables = {"customer": {"name": "Liu\r\nBcc: x@y.example"}}
    assert program.channels == {"email", "sms"}
    chinese = program.render(channel="email", language="zh-hans", variables=variables)
    assert chinese.subject == "Liu Bcc: x@y.example，您好"
    assert program.language_of(channel="sms", language="zh-hans") == "en"
    assert "Dear Liu" in program.render(channel="email", language="en", variables=variables).text
    assert program.language_of(channel="push", language="en") is None


def test_one_off_text_is_never_read_as_a_template() -> None:
    program = program_for(make_dispatch(text='{"subject": "a\\nb", "body": "{{ customer.name }}"}'))
    shown = program.render(channel="sms", language="en", variables={})
    assert (shown.subject, shown.text, shown.html) == ("a b", "{{ customer.name }}", None)


def test_what_was_sent_is_shown_again_without_its_secrets() -> None:
    version = make_version(("email", "en"), message_class="transactional")
    template = version.template
    save_content(
        template_id=template.pk, channel="sms", language="en", body="Code {{ secret_code }}", version=0
    )
    version = publish(template_id=template.pk)
    dispatch = make_dispatch(version=version)
    program = program_for(dispatch)
    variables = {"customer": {"name": "Ann"}, "secret_code": "482913"}
    for number, channel in enumerate(("sms", "email"), start=1):
        delivery = make_delivery(dispatch, 1, channel=channel)
        rendered = program.render(channel=channel, language="en", variables=variables)
        payload = pack(
            program=program, channel=channel, language="en", rendered=rendered, variables=variables
        )
        MessageCopy.objects.create(
            at=delivery.send_at, dispatch_id=dispatch.pk, delivery_id=delivery.pk, payload=payload
        )
        shown = unpack_and_show(dispatch, delivery)
        assert shown is not None
        assert "482913" not in shown.text + (shown.html or ""), number
        assert ("Code ••••" if channel == "sms" else "Dear Ann") in shown.text


def test_nothing_is_shown_where_nothing_was_sent() -> None:
    dispatch = make_dispatch()
    assert unpack_and_show(dispatch, make_delivery(dispatch, 1)) is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{% if %}x", "says nothing after its first word"),
        ("{% if a %}x", "Write {% endif %}"),
        ("{{ a", "}} is missing"),
        ("{% foo %}", "There is no tag {% foo %}"),
        ("{% endif %}", "{% endif %} has no beginning"),
        ("{{ a b }}", "a word too much"),
        ("{% if a = b %}x{% endif %}", "write == instead"),
        ("{% for x %}{% endfor %}", "{% for one in many %}"),
        ("{{ }}", "Nothing stands between the brackets"),
        ("{{ customer.name | nope }}", "There is no filter “nope”"),
        ("{{ 'abc }}", "quotation mark is not closed"),
    ],
)
def test_what_liquid_cannot_read_is_said_in_words(body: str, words: str) -> None:
    template = make_template(("sms", "en"))
    content = text_of(template.pk, "sms")
    content.body = body
    checks = check_content(content=content, template=template)
    assert any(one.level == "error" and words in one.text for one in checks)
