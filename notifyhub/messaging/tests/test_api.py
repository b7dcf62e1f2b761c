"""Messages by request: what is taken, what is refused with reasons, what is told afterwards."""

from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from notifyhub.customers.models import Customer
from notifyhub.customers.tests.factories import make_customer
from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.models import Attachment, Dispatch
from notifyhub.messaging.tests.factories import make_template, make_version
from notifyhub.messaging.tests.kit.sending import drain, memory_account
from notifyhub.staff.models import AuditEntry
from notifyhub.staff.services.api_keys import create_api_key
from notifyhub.staff.tests.factories import make_team

pytestmark = pytest.mark.django_db
URL = "/api/v1/messages"
PDF = b64encode(b"%PDF-1.7 bill").decode()


class Api:
    """A client with an API key."""

    def __init__(self, *scopes: str, **facts: Any) -> None:
        self.headers = {
            "Authorization": f"Bearer {create_api_key(name='orders', scopes=list(scopes), **facts)[1]}"
        }
        self.client = Client()

    def post(self, data: Any, **headers: str) -> Any:
        return self.client.post(
            URL, data, content_type="application/json", headers={**self.headers, **headers}
        )

    def get(self, path: str) -> Any:
        return self.client.get(f"{URL}/{path}", headers=self.headers)


@pytest.fixture
def api() -> Api:
    return Api("messages:send", "messages:read")


def code_to(**recipient: Any) -> dict[str, Any]:
    return {
        "text": {"subject": "Your code", "body": "Your code is 4711"},
        "channels": [{"channel": "email"}],
        "recipients": [recipient],
    }


def errors(answer: Any) -> Any:
    assert answer.status_code in (400, 422), answer.content
    assert answer["Content-Type"].startswith("application/problem+json")
    return answer.json()["errors"]


def test_a_code_is_accepted_planned_and_sent_and_told(api: Api) -> None:
    memory_account()
    answer = api.post({**code_to(email="li@mail.example"), "expires_in": 300})
    assert answer.status_code == 202
    body = answer.json()
    assert (body["state"], body["recipients"], body["customers_created"]) == ("running", 1, 1)
    assert Customer.objects.get().provisional
    dispatch = Dispatch.objects.get()
    assert dispatch.priority == 0
    assert dispatch.expires_at is not None
    drain()
    assert MemoryBackend.outbox[0].text == "Your code is 4711"
    told = api.get(body["id"]).json()
    assert told["state"] == "finished"
    assert told["counts"]["planned"] == told["counts"]["sent"] == 1
    (message,) = told["messages"]
    assert (message["recipient"], message["state"], message["channel"]) == (0, "sent", "email")
    assert message["handed_over_at"]


def test_it_is_written_to_the_contact_point_that_was_named(api: Api) -> None:
    memory_account()
    customer = make_customer(email="home@mail.example", external_id="C7")
    assert api.post(code_to(email="office@mail.example")).json()["customers_created"] == 1
    assert api.post(code_to(email="HOME@mail.example")).json()["customers_created"] == 0
    assert api.post(code_to(customer="C7")).status_code == 202
    drain()
    assert sorted(one.to for one in MemoryBackend.outbox) == [
        "home@mail.example",
        "home@mail.example",
        "office@mail.example",
    ]
    assert Customer.objects.count() == 2
    assert customer.pk


def test_a_template_brings_its_class_and_fills_in_variables(api: Api) -> None:
    memory_account()
    make_version(("email", "en"), message_class="transactional", key="shipped", name="Shipped")
    customer = make_customer(email="auto", external_id="C1", name="Wang", locale="en")
    answer = api.post(
        {
            "template": "shipped",
            "channels": [{"channel": "email"}],
            "recipients": [{"customer": "C1", "variables": {"order": "2301"}, "subject_ref": "order:2301"}],
        }
    )
    assert answer.status_code == 202
    drain()
    assert MemoryBackend.outbox[0].subject == "Hello Wang"
    dispatch = Dispatch.objects.get()
    assert (dispatch.title, dispatch.message_class, dispatch.trigger) == (
        "Shipped",
        "transactional",
        "orders",
    )
    assert dispatch.items.get().subject_ref == "order:2301"
    assert customer.pk


def test_all_recipients_are_taken_or_none(api: Api) -> None:
    make_customer(external_id="C1")
    wrong = {
        **code_to(),
        "recipients": [
            {"customer": "C1"},
            {"customer": "C9"},
            {"email": "no mailbox"},
            {},
            {"customer": "C1", "phone": "13800001111"},
        ],
    }
    found = errors(api.post(wrong))
    assert sorted(found) == [
        f"recipients.{place}" for place in ("1.customer", "2.email", "3.customer", "4.customer")
    ]
    assert "no customer" in found["recipients.1.customer"][0]
    assert not Dispatch.objects.exists()
    assert Customer.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"channels": []}, "channels"),
        ({"channels": [{"channel": "pigeon"}]}, "channels"),
        ({"channels": [{"channel": "sms"}, {"channel": "sms"}]}, "channels"),
        ({"recipients": []}, "recipients"),
        ({"text": {"body": ""}}, "text"),
        ({"template": "x"}, "template"),
        ({"send_at": "tomorrow"}, "send_at"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"attachments": [{"name": "a.pdf", "content": "***"}]}, "attachments"),
        ({"attachments": [{"name": "a.pdf", "content": b64encode(b"MZ\x90").decode()}]}, "attachments"),
        ({"attachments": [{"name": "a.exe", "content": PDF}]}, "attachments"),
        ({"attachments": [{"name": "a.txt", "content": b64encode(b"<script>").decode()}]}, "attachments"),
        ({"attachments": [{"name": "a.pdf", "content": PDF}] * 6}, "attachments"),
        (
            {"attachments": [{"name": "a.pdf", "content": PDF}], "channels": [{"channel": "sms"}]},
            "attachments",
        ),
        ({"recipients": [{"customer": "C1", "variables": {"a": "x" * 20_000}}]}, "recipients"),
    ],
)
def test_a_mistake_is_named_where_it_was_made(api: Api, change: dict[str, Any], field: str) -> None:
    make_customer(external_id="C1", email="auto")
    found = errors(api.post({**code_to(customer="C1"), **change}))
    assert {where.partition(".")[0] for where in found} == {field}
    assert not Dispatch.objects.exists()


@pytest.mark.parametrize("body", [b"", b"[", b"[]", b'"x"', b"null", b'{"text": "\\u0000"}', b"1"])
def test_no_body_breaks_it(api: Api, body: bytes) -> None:
    answer = api.client.generic("POST", URL, body, content_type="application/json", headers=api.headers)
    assert answer.status_code in (400, 422)


def test_unpublished_and_archived_templates_are_refused(api: Api) -> None:
    make_customer(external_id="C1", email="auto")
    draft = make_template(("email", "en"), message_class="transactional", key="draft")
    asked = {"template": "draft", "channels": [{"channel": "email"}], "recipients": [{"customer": "C1"}]}
    assert "not published" in errors(api.post(asked))["template"][0]
    assert "no template" in errors(api.post({**asked, "template": "nothing"}))["template"][0]
    assert draft.pk


def test_the_same_key_is_the_same_message(api: Api) -> None:
    first = api.post(code_to(email="li@mail.example"), **{"Idempotency-Key": "a"})
    again = api.post(code_to(email="li@mail.example"), **{"Idempotency-Key": "a"})
    assert first.json() == again.json()
    assert Dispatch.objects.count() == 1
    assert api.post(code_to(email="wu@mail.example"), **{"Idempotency-Key": "a"}).status_code == 422


def test_only_keys_that_may_send_send_and_only_makers_look() -> None:
    assert Api("customers:write").post(code_to(email="li@mail.example")).status_code == 403
    team = make_team()
    mine, teammate = (
        Api("messages:send", "messages:read", owner_team=team),
        Api("messages:read", owner_team=team),
    )
    made = mine.post(code_to(email="li@mail.example")).json()["id"]
    assert mine.get(made).status_code == 200
    assert teammate.get(made).status_code == 200
    assert Api("messages:read").get(made).status_code == 404
    assert Api("messages:send").get(made).status_code == 403
    assert mine.get("00000000-0000-0000-0000-000000000000").status_code == 404
    assert mine.get(made + "?after=x").status_code == 400


def test_a_later_message_waits_for_its_time(api: Api) -> None:
    later = (timezone.now() + timedelta(hours=2)).isoformat()
    answer = api.post({**code_to(email="li@mail.example"), "send_at": later})
    assert answer.json()["state"] == "scheduled"
    assert api.get(answer.json()["id"]).json()["messages"] == []


def test_files_are_kept_encrypted_and_go_with_the_mail(api: Api) -> None:
    memory_account()
    files = [
        {"name": "账单/2026.pdf", "content": PDF},
        {"name": "x.csv", "content": "YSxi"},
    ]
    assert api.post({**code_to(email="li@mail.example"), "attachments": files}).status_code == 202
    row = Attachment.objects.first()
    assert row is not None
    assert (row.name, row.content_type, row.size) == ("账单_2026.pdf", "application/pdf", 13)
    assert b"%PDF" not in bytes(row.content)
    drain()
    sent = MemoryBackend.outbox[0].attachments
    assert [(one.name, one.content_type, one.content) for one in sent] == [
        ("账单_2026.pdf", "application/pdf", b"%PDF-1.7 bill"),
        ("x.csv", "text/csv", b"a,b"),
    ]


def test_asking_is_audited_without_personal_data(api: Api) -> None:
    api.post(code_to(email="li@mail.example"))
    entry = AuditEntry.objects.get(verb="create_dispatch")
    assert "mail.example" not in str(entry.detail)
