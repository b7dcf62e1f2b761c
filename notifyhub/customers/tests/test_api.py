"""The API of customers: what it takes, what it refuses, what it shows."""

from typing import Any

import pytest
from django.test import Client

from notifyhub.customers.models import Customer
from notifyhub.customers.tests.factories import make_customer
from notifyhub.staff.models import AuditEntry
from notifyhub.staff.services.api_keys import create_api_key

pytestmark = pytest.mark.django_db

URL = "/api/v1/customers"


class Api:
    """A client with an API key."""

    def __init__(self, *scopes: str) -> None:
        self.headers = {"Authorization": f"Bearer {create_api_key(name='t', scopes=list(scopes))[1]}"}
        self.client = Client()

    def post(self, url: str, data: Any, **headers: str) -> Any:
        return self.client.post(
            url, data, content_type="application/json", headers={**self.headers, **headers}
        )

    def get(self, url: str) -> Any:
        return self.client.get(url, headers=self.headers)


@pytest.fixture
def api() -> Api:
    return Api("customers:write", "customers:read", "events:write")


def test_it_creates_and_then_changes_a_customer(api: Api) -> None:
    said = {"external_id": "E1", "name": "王芳", "phone": "138 0000 1111", "tags": ["vip"]}
    first = api.post(URL, said)
    assert (first.status_code, first.json()["created"]) == (200, 1)
    assert api.post(URL, said).json()["unchanged"] == 1
    changed = api.post(URL, {"external_id": "E1", "city": "上海", "name": None, "attributes": {"level": 2}})
    assert changed.json()["updated"] == 1
    customer = Customer.objects.get()
    assert (customer.name, customer.city, customer.tags, customer.version) == ("王芳", "上海", ["vip"], 2)
    assert customer.attributes == {"level": 2}
    assert AuditEntry.objects.filter(verb="upsert_customers", actor_kind="api").count() == 3


def test_one_bad_item_does_not_hold_up_the_others(api: Api) -> None:
    answer = api.post(URL, [{"external_id": "E1"}, {"name": "nobody"}, {"external_id": "E2", "phone": "1"}])
    assert answer.status_code == 200
    body = answer.json()
    assert (body["created"], [error["index"] for error in body["errors"]]) == (1, [1, 2])
    assert "phone" in body["errors"][1]["errors"]


def test_the_number_of_queries_does_not_grow_with_the_list(api: Api, django_assert_max_num_queries) -> None:
    many = [
        {"external_id": f"E{n}", "phone": f"139{n:08d}", "email": f"e{n}@mail.example"} for n in range(1000)
    ]
    with django_assert_max_num_queries(40):
        assert api.post(URL, many).json()["created"] == 1000
    with django_assert_max_num_queries(40):
        assert api.post(URL, many).json()["unchanged"] == 1000


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{", 400),
        ("[" * 100_000, 400),
        ("[]", 400),
        ('"text"', 400),
        ("null", 400),
        ("[1]", 400),
        ('[{"external_id":"E"}' + ',{"external_id":"E"}' * 1000 + "]", 400),
        ("{}", 422),
        ('{"external_id": "a\\u0000b"}', 422),
        ('{"external_id": "\\ud800"}', 422),
        ('{"external_id": "E", "attributes": {"a": "\\u0000"}}', 422),
        ('{"external_id": "E", "attributes": {"a": "\\ud800"}}', 422),
        ('{"external_id": "E", "attributes": {"a": 1e999}}', 422),
        ('{"external_id": "E", "attributes": [1]}', 422),
        ('{"external_id": "E", "attributes": {"birthday": "soon"}}', 422),
        ('{"external_id": "E", "tags": "x"}', 422),
        ('{"external_id": "E", "time_zone": "Mars/Base"}', 422),
        ('{"external_id": "E", "locale": "klingon"}', 422),
        ('{"external_id": "E", "email": "x"}', 422),
    ],
)
def test_bad_input_is_a_problem_and_never_an_error(api: Api, body: str, status: int) -> None:
    answer = api.post(URL, body)
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert not Customer.objects.exists()


def test_a_customer_is_read_masked(api: Api) -> None:
    make_customer(external_id="E1", phone="13800001111", email="liu@mail.example")
    text = api.get(f"{URL}/E1").content.decode()
    assert "138****1111" in text
    assert "l***@mail.example" in text
    assert "13800001111" not in text
    assert api.get(f"{URL}/E2").status_code == 404
    assert api.get(f"{URL}/a%00b").status_code == 404


def test_each_scope_opens_its_own_door() -> None:
    reader = Api("customers:read")
    assert reader.post(URL, {"external_id": "E1"}).status_code == 403
    assert reader.post("/api/v1/events", {}).status_code == 403
    assert Api("customers:write").get(f"{URL}/E1").status_code == 403
    assert Client().post(URL, {}, content_type="application/json").status_code == 401


def test_a_request_with_an_idempotency_key_is_done_once(api: Api) -> None:
    key = {"Idempotency-Key": "k1"}
    first = api.post(URL, {"external_id": "E1"}, **key)
    again = api.post(URL, {"external_id": "E1"}, **key)
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (first.json(), "true")
    assert api.post(URL, {"external_id": "E2"}, **key).status_code == 422


def test_the_schema_has_no_warnings(tmp_path) -> None:
    from django.core.management import call_command

    call_command("spectacular", "--fail-on-warn", "--validate", "--file", str(tmp_path / "schema.yml"))
