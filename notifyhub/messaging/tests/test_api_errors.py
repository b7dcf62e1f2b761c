"""What the API answers to what it cannot do: one shape, in the caller's language, at every address."""

import json
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifyhub.core.problems import flat
from notifyhub.customers.tests.factories import make_customer
from notifyhub.messaging.models import Dispatch
from notifyhub.messaging.tests.factories import make_version
from notifyhub.messaging.tests.test_api import Api, api, code_to

pytestmark = pytest.mark.django_db
assert api
URL = "/api/v1/messages"


def told(answer: Any, status: int) -> dict[str, Any]:
    """Return the body of a refusal after looking at its shape."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    for where, sentences in body.get("errors", {}).items():
        assert where
        assert sentences
        assert all(isinstance(one, str) for one in sentences), body
    return body


def test_a_step_without_a_text_is_refused_before_anything_is_kept(api: Api) -> None:
    make_version(("email", "en"), message_class="transactional", key="shipped", name="Shipped")
    make_customer(email="auto", phone="auto", external_id="C1")
    asked = {
        "template": "shipped",
        "channels": [{"channel": "email", "wait": 60}, {"channel": "sms"}],
        "recipients": [{"customer": "C1"}],
    }
    (sentence,) = told(api.post(asked), 422)["errors"]["channels"]
    assert "Step 2" in sentence
    assert "SMS" in sentence
    assert "Shipped" in sentence
    assert not Dispatch.objects.exists()


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        ({"channels": "sms"}, "channels", "list"),
        ({"channels": {"channel": "sms"}}, "channels", "list"),
        ({"channels": 7}, "channels", "list"),
        ({"channels": None}, "channels", "null"),
        ({"channels": ["sms"]}, "channels.0", "object"),
        ({"channels": [{"channel": ["sms"]}]}, "channels.0.channel", "choice"),
        ({"channels": [{"channel": "email", "wait": "soon"}]}, "channels.0.wait", "integer"),
        ({"recipients": "C1"}, "recipients", "list"),
        ({"recipients": ["C1"]}, "recipients.0", "object"),
        ({"recipients": [{"customer": {}}]}, "recipients.0.customer", "string"),
        ({"recipients": [{"customer": "C1", "variables": []}]}, "recipients.0.variables", "dictionary"),
        ({"text": "hello"}, "text", "object"),
        ({"urgent": "perhaps"}, "urgent", "boolean"),
        ({"attachments": "x"}, "attachments", "list"),
        ({"send_at": "9998-12-31T23:59:59Z", "expires_in": 99}, "send_at", "ten years"),
        ({"expires_at": "9999-12-31T23:59:59+00:00"}, "expires_at", "range"),
    ],
)
def test_a_wrong_type_is_named_at_its_place(api: Api, change: Any, where: str, words: str) -> None:
    body = told(api.post({**code_to(customer="C1"), **change}), 400)
    assert list(body["errors"]) == [where]
    assert words in body["errors"][where][0]


def test_the_words_are_the_callers(api: Api) -> None:
    answer = api.post({**code_to(customer="C1"), "urgent": []}, **{"Accept-Language": "zh-hans"})
    assert any("\u4e00" <= sign <= "\u9fff" for sign in told(answer, 400)["errors"]["urgent"][0])


def test_every_address_answers_programs_in_json(api: Api) -> None:
    for path in (
        f"{URL}/not-an-id",
        f"{URL}/00000000-0000-0000-0000-000000000000",
        "/api/",
        "/api/v1",
        "/api/v1/",
        "/api/v2/messages",
        "/api/v1/nothing/here",
        "/api/v1/customers/nobody",
        "/api/v1/campaigns/x%20y/",
        "/api/v1/messages/a%00b",
    ):
        key = Api("customers:read", "messages:read", "campaigns:launch")
        told(key.client.get(path, headers=key.headers), 404)
    # No form of ours posts here, so no token is asked for.
    told(Client(enforce_csrf_checks=True).post("/api/v1/nothing"), 404)
    assert URL in told(api.client.post(f"{URL}/", headers=api.headers), 404)["detail"]


def test_other_methods_forms_and_bodies_answer_in_json(api: Api) -> None:
    answer = api.client.delete(URL, headers=api.headers)
    assert "POST" in answer["Allow"]
    assert "{" not in told(answer, 405)["title"]
    told(api.client.post(URL, "a=b", content_type="text/plain", headers=api.headers), 415)
    told(api.client.post(URL, {"a": "b"}, headers=api.headers), 415)
    cut = api.client.post(URL, '{"text":\n {', content_type="application/json", headers=api.headers)
    assert "line 2" in told(cut, 400)["detail"]
    told(api.client.post(URL, b"\xff\xfe", content_type="application/json", headers=api.headers), 400)
    told(api.client.get(f"{URL}/{'0' * 8}", headers={**api.headers, "Accept": "text/html"}), 404)
    told(Client().post(URL, {}, content_type="application/json"), 401)
    refused = told(Api("messages:read").post({}), 403)
    assert "scope" in refused["detail"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
NAMES = ("template", "text", "channels", "recipients", "title", "subject_ref", "send_at", "expires_at")
NAMES += ("expires_in", "urgent", "bulk", "attachments")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(NAMES), json_values, max_size=6))
def test_no_value_anywhere_breaks_it(api: Api, change: dict[str, Any]) -> None:
    body = {**code_to(email="li@mail.example"), **change}
    answer = api.client.post(URL, json.dumps(body), content_type="application/json", headers=api.headers)
    if answer.status_code != 202:
        told(answer, answer.status_code)
        assert answer.status_code in (400, 422)


def test_nested_errors_come_out_by_path() -> None:
    nested = {"a": [{}, {"b": ["x"], "non_field_errors": ["y"]}], "non_field_errors": ["z"], "c": "w"}
    assert flat(nested) == {"a.1.b": ["x"], "a.1": ["y"], "non_field_errors": ["z"], "c": ["w"]}
    assert flat(["x"]) == {"non_field_errors": ["x"]}
    assert flat({}) == {}


def test_the_schema_tells_the_shape_of_errors(api: Api) -> None:
    schema = api.client.get("/api/v1/schema/?format=json", headers=api.headers).json()
    problem = schema["components"]["schemas"]["Problem"]
    assert problem["properties"]["errors"]["additionalProperties"] == {
        "type": "array",
        "items": {"type": "string"},
    }
    refused: dict[str, set[str]] = {"/api/": set(), "/v1/": set()}
    for path, ways in schema["paths"].items():
        for way in ways.values():
            for status, answer in way["responses"].items():
                if status >= "400":
                    refused[path[: path.index("/", 1) + 1]] |= set(answer["content"])
    # Segment's clients call /v1/ and read the shape Segment answers with.
    assert refused == {"/api/": {"application/problem+json"}, "/v1/": {"application/json"}}
