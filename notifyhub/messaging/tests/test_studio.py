"""The template studio, through the browser's door."""

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from notifyhub.customers.models import ContactPoint, Customer
from notifyhub.customers.tests.factories import make_customer, make_topic
from notifyhub.messaging.admin.templates.preview import FRAME_POLICY
from notifyhub.messaging.models import Content, Delivery, Dispatch, Template
from notifyhub.messaging.services.copies import unpack_and_show
from notifyhub.messaging.tests.factories import make_template, make_version
from notifyhub.staff import roles
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


def login(client: Client, role: str | None = roles.CONTENT_EDITOR) -> None:
    client.force_login(make_user(role))


def url(name: str, pk: int) -> str:
    return reverse(f"admin:messaging_template_{name}", args=[pk])


def typed(**changes: str) -> dict[str, str]:
    return {
        "channel": "email",
        "language": "en",
        "subject": "Hi",
        "preheader": "",
        "body": "<p>Hi {{ customer.name }}</p>",
        "version": "2",
        **changes,
    }


def test_a_new_template_opens_in_the_studio(client: Client) -> None:
    login(client)
    topic = make_topic()
    data = {
        "name": "Autumn",
        "message_class": "promotional",
        "topic": topic.pk,
        "channel": "sms",
        "language": "en",
    }
    answer = client.post(reverse("admin:messaging_template_add"), data)
    template = Template.objects.get(name="Autumn")
    assert answer.url == url("change", template.pk)
    assert template.owner.username == roles.CONTENT_EDITOR
    assert "Text" in client.get(answer.url).content.decode()


def test_a_refused_template_keeps_what_was_typed(client: Client) -> None:
    login(client)
    data = {"name": "Autumn", "message_class": "promotional", "channel": "sms", "language": "en"}
    answer = client.post(reverse("admin:messaging_template_add"), data)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "Choose a topic" in page
    assert 'value="Autumn"' in page


def test_saving_answers_with_the_new_version_and_keeps_the_page(client: Client) -> None:
    login(client)
    template = make_template()
    answer = client.post(url("save", template.pk), typed(), headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert 'id="st-version" value="3"' in answer.content.decode()
    assert Content.objects.get().body == "<p>Hi {{ customer.name }}</p>"


def test_a_stale_save_is_a_conflict_that_shows_the_other_text(client: Client) -> None:
    login(client)
    template = make_template()
    client.post(url("save", template.pk), typed(body="theirs"), headers={"HX-Request": "true"})
    answer = client.post(url("save", template.pk), typed(body="mine"), headers={"HX-Request": "true"})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "theirs" in page
    assert 'data-keep="3"' in page
    assert 'id="st-version"' not in page
    assert Content.objects.get().body == "theirs"


def test_saving_works_without_script_too(client: Client) -> None:
    login(client)
    template = make_template()
    assert client.post(url("save", template.pk), typed(body="plain")).status_code == 302
    assert Content.objects.get().body == "plain"


def test_publishing_from_the_studio(client: Client) -> None:
    login(client)
    template = make_template()
    client.post(url("publish", template.pk), {"note": "first", "number": "1"})
    version = template.versions.get()
    assert (version.state, version.note) == ("published", "first")
    assert version.published_by.username == roles.CONTENT_EDITOR


def test_a_refused_publishing_says_why(client: Client) -> None:
    login(client)
    template = make_template()
    client.post(url("save", template.pk), typed(subject=""))
    answer = client.post(url("publish", template.pk), {"number": "1"}, follow=True)
    assert "Write a subject" in answer.content.decode()
    assert template.versions.get().state == "draft"


def test_an_empty_cell_is_started_blank_or_as_a_copy(client: Client) -> None:
    login(client)
    template = make_template()
    cell = {"channel": "email", "language": "zh-hans"}
    assert "Start blank" in client.get(url("change", template.pk), cell).content.decode()
    client.post(url("start", template.pk), {**cell, "source": "email:en"})
    assert "Dear {{ customer.name }}" in Content.objects.get(language="zh-hans").body
    client.post(url("start", template.pk), {"channel": "sms", "language": "en", "source": "email:en"})
    assert Content.objects.get(channel="sms").body == "Dear {{ customer.name }}"
    client.post(url("start", template.pk), {"channel": "push", "language": "en"})
    assert Content.objects.get(channel="push").body == ""


def test_a_preview_fills_in_a_real_customer_and_counts_on_the_server(client: Client) -> None:
    login(client)
    template = make_template()
    customer = make_customer(name="刘婉清")
    body = "{{ customer.name }}，您的订单{{ order.number }}到了"
    data = typed(channel="sms", language="zh-hans", body=body, customer=str(customer.pk))
    page = client.post(url("preview", template.pk), data).content.decode()
    assert "刘婉清，您的订单‹number›到了" in page
    assert "1 part" in page
    assert "拒收请回复R" in page


def test_a_broken_text_keeps_the_last_good_preview_and_says_where(client: Client) -> None:
    login(client)
    template = make_template()
    answer = client.post(url("preview", template.pk), typed(body="a\n{% if %}"))
    assert answer["HX-Reswap"] == "none"
    assert 'data-line="2"' in answer.content.decode()
    assert client.post(url("mail", template.pk), typed(body="{% if %}")).status_code == 200


def test_a_mail_preview_can_run_and_fetch_nothing(client: Client) -> None:
    login(client)
    template = make_template()
    make_customer(name="<script>alert(1)</script>")
    answer = client.post(
        url("mail", template.pk), typed(body="<p>{{ customer.name }}</p><script>x()</script>")
    )
    assert answer["Content-Security-Policy"] == FRAME_POLICY
    assert "sandbox" in FRAME_POLICY
    assert "https:" not in FRAME_POLICY
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    assert "<script" not in answer.content.decode()


def test_a_customer_is_chosen_by_post(client: Client) -> None:
    login(client)
    template = make_template()
    make_customer(name="Liu Wanqing", phone="13800001234")
    page = client.post(url("customers", template.pk), {"q": "1234"}).content.decode()
    assert "Liu Wanqing" in page
    assert "13800001234" not in page
    assert client.get(url("customers", template.pk)).status_code == 405


def test_an_old_version_is_read_only(client: Client) -> None:
    login(client)
    version = make_version()
    page = client.get(url("change", version.template_id), {"v": "1"}).content.decode()
    assert "readonly" in page
    assert "Save draft" not in page
    assert client.get(url("change", version.template_id), {"v": "9"}).status_code == 404


def test_the_draft_and_the_archive_have_their_buttons(client: Client) -> None:
    login(client)
    version = make_version()
    client.post(url("draft", version.template_id))
    assert version.template.versions.filter(state="draft").exists()
    client.post(url("discard", version.template_id))
    assert not version.template.versions.filter(state="draft").exists()
    client.post(url("archive", version.template_id))
    assert Template.objects.get().archived_at
    assert "Offer it again" in client.get(url("change", version.template_id)).content.decode()


def test_settings_refuse_a_topic_of_another_class(client: Client) -> None:
    login(client)
    template = make_template()
    wrong = make_topic("bills", "service")
    data = {"name": "New name", "topic": str(wrong.pk), "expected_version": "1"}
    answer = client.post(url("settings", template.pk), data, follow=True)
    assert "another message class" in answer.content.decode()
    client.post(url("settings", template.pk), {"name": "New name", "expected_version": "1"})
    assert Template.objects.get().name == "New name"


def test_a_test_goes_to_the_typed_mailbox_and_counts_for_nothing(client: Client) -> None:
    login(client)
    template = make_template()
    customer = make_customer(name="Ann")
    data = {"channel": "email", "language": "en", "to": "me@lu.example", "customer": str(customer.pk)}
    answer = client.post(url("test", template.pk), data, follow=True)
    assert "On its way" in answer.content.decode()
    call_command("run_worker_once")
    dispatch = Dispatch.objects.get()
    assert (dispatch.message_class, dispatch.delivered, dispatch.state) == ("transactional", 1, "finished")
    delivery = Delivery.objects.get()
    assert ContactPoint.objects.get(pk=delivery.contact_id).value == "me@lu.example"
    shown = unpack_and_show(dispatch, delivery)
    assert shown is not None
    assert "Dear Ann" in (shown.html or "")
    client.post(url("test", template.pk), data)
    assert Customer.objects.filter(external_id__startswith="staff-").count() == 1


@pytest.mark.parametrize(
    ("channel", "to", "words"),
    [
        ("email", "nonsense", "email address"),
        ("sms", "12", "phone number"),
        ("push", "x", "Only mail and SMS"),
    ],
)
def test_a_test_to_no_address_is_refused(client: Client, channel: str, to: str, words: str) -> None:
    login(client)
    template = make_template((channel, "en"))
    data = {"channel": channel, "language": "en", "to": to}
    assert words in client.post(url("test", template.pk), data, follow=True).content.decode()
    assert not Dispatch.objects.exists()


@pytest.mark.parametrize("role", [roles.AGENT, roles.ANALYST, roles.OPERATIONS, roles.MARKETING_APPROVER])
def test_readers_read_and_change_nothing(client: Client, role: str) -> None:
    login(client, role)
    template = make_template()
    page = client.get(url("change", template.pk)).content.decode()
    assert "Save draft" not in page
    for name in ("save", "start", "remove", "draft", "discard", "publish", "settings", "archive", "test"):
        assert client.post(url(name, template.pk), typed()).status_code == 403, name


@pytest.mark.parametrize("role", [roles.DEPARTMENT_MEMBER, roles.ADMINISTRATOR])
def test_others_see_no_templates(client: Client, role: str) -> None:
    login(client, role)
    template = make_template()
    assert client.get(url("change", template.pk)).status_code == 403
    assert client.get(reverse("admin:messaging_template_changelist")).status_code == 403


def test_nothing_is_saved_by_looking(client: Client) -> None:
    login(client)
    template = make_template()
    for name in (
        "save",
        "start",
        "remove",
        "draft",
        "discard",
        "publish",
        "settings",
        "archive",
        "preview",
        "mail",
    ):
        assert client.get(url(name, template.pk)).status_code == 405, name


def test_bad_addresses_are_not_errors(client: Client) -> None:
    login(client)
    template = make_template()
    base = reverse("admin:messaging_template_changelist")
    assert client.get(f"{base}abc/change/").status_code == 404
    assert client.get(f"{base}99999999999999999999/change/").status_code == 404
    assert client.get(url("change", template.pk), {"channel": "fax", "language": "xx"}).status_code == 200
    assert (
        client.post(url("save", template.pk), {"channel": "fax"}, headers={"HX-Request": "1"}).status_code
        == 422
    )
    assert client.post(url("preview", template.pk), {"customer": "9" * 30}).status_code == 200
    nul = typed(body="a\x00b")
    assert client.post(url("save", template.pk), nul, headers={"HX-Request": "1"}).status_code == 422


def test_the_list_and_the_studio_ask_a_constant_number_of_queries(
    client: Client, django_assert_max_num_queries
) -> None:
    login(client)
    make_customer()
    first = make_version(("email", "en"), ("sms", "en"), ("push", "en"))
    for _ in range(6):
        make_template(("sms", "en"), ("email", "en"))
    with django_assert_max_num_queries(14):
        client.get(reverse("admin:messaging_template_changelist"))
    with django_assert_max_num_queries(26):
        client.get(url("change", first.template_id))
