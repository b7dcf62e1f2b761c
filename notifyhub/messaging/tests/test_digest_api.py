"""How often customers want which topic, read and told by a program."""

from typing import Any

import pytest
from django.test import Client

from notifyhub.customers.models import Customer
from notifyhub.customers.tests.factories import make_customer, make_topic
from notifyhub.messaging.models import DigestItem, DigestWish, DigestWishRecord
from notifyhub.messaging.tests.kit.digests import gathering_version, tell
from notifyhub.messaging.tests.kit.sending import make_recipients, states
from notifyhub.staff.models import AuditEntry
from notifyhub.staff.services.api_keys import create_api_key

pytestmark = pytest.mark.django_db


class Api:
    """A client with an API key."""

    def __init__(self, *scopes: str) -> None:
        token = create_api_key(name="app", scopes=list(scopes))[1]
        self.headers = {"Authorization": f"Bearer {token}"}
        self.client = Client()

    def get(self, customer: str = "E1") -> Any:
        return self.client.get(f"/api/v1/customers/{customer}/digests", headers=self.headers)

    def patch(self, data: Any, customer: str = "E1", **headers: str) -> Any:
        url = f"/api/v1/customers/{customer}/digests"
        headers = {**self.headers, **headers}
        return self.client.patch(url, data, content_type="application/json", headers=headers)

    def tell(self, *wishes: tuple[Any, Any], **headers: str) -> Any:
        return self.patch({"wishes": [{"topic": topic, "wish": wish} for topic, wish in wishes]}, **headers)


@pytest.fixture
def api() -> Api:
    return Api("customers:read", "customers:write")


def one_who_may_be_told() -> tuple[Customer, Any]:
    version = gathering_version()
    (ann,) = make_recipients("ann@mail.example")
    Customer.objects.filter(pk=ann.pk).update(external_id="E1")
    return ann, version


def test_a_program_reads_and_tells_the_wish_and_planning_obeys(api: Api) -> None:
    ann, version = one_who_may_be_told()
    code = version.template.topic.code
    plain = {"topic": code, "wish": "template", "gathers": True, "changed_at": None}
    assert api.get().json() == {"wishes": [plain]}
    answer = api.patch({"wishes": [{"topic": code, "wish": "week", "proof": "settings page"}]})
    (line,) = answer.json()["wishes"]
    assert (answer.status_code, line["wish"], line["gathers"]) == (200, "week", True)
    assert line["changed_at"] is not None
    assert api.get().json() == answer.json()
    assert states(tell(version, [ann], ["A1"])) == {"gathered": 1}
    assert DigestItem.objects.get().by_wish
    record = DigestWishRecord.objects.get()
    assert (record.wish, record.proof, record.recorded_by) == ("week", "settings page", "app")
    assert record.source.startswith("api:")
    assert AuditEntry.objects.filter(verb="set_digest_wish", actor_kind="api").count() == 1
    assert api.tell((code, "week")).status_code == 200
    assert DigestWishRecord.objects.count() == 1


def test_a_wish_for_a_topic_that_nothing_gathers_yet_is_kept_and_shown(api: Api) -> None:
    make_customer(external_id="E1")
    make_topic(code="bills")
    assert api.get().json() == {"wishes": []}
    (line,) = api.tell(("bills", "day")).json()["wishes"]
    assert (line["topic"], line["wish"], line["gathers"]) == ("bills", "day", False)


def test_one_bad_wish_keeps_all_from_being_taken(api: Api) -> None:
    make_customer(external_id="E1")
    make_topic(code="bills")
    make_topic(code="codes", message_class="transactional")
    make_topic(code="gone", active=False)
    answer = api.tell(("bills", "day"), ("codes", "day"), ("gone", "day"), ("none", "day"))
    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    assert list(answer.json()["errors"]) == ["wishes.1.topic", "wishes.2.topic", "wishes.3.topic"]
    assert not DigestWish.objects.exists()
    assert not AuditEntry.objects.filter(verb="set_digest_wish").exists()
    assert list(api.tell(("bills", "day"), ("bills", "week")).json()["errors"]) == ["wishes.1.topic"]
    assert list(api.tell(("bills", "hourly")).json()["errors"]) == ["wishes.0.wish"]


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        "null",
        "{}",
        '{"wishes": []}',
        '{"wishes": "x"}',
        '{"wishes": [1]}',
        '{"wishes": [{"topic": "a\\u0000", "wish": "day"}]}',
        '{"wishes": [{"topic": "\\ud800", "wish": "day"}]}',
        '{"wishes": [' + '{"topic": "a", "wish": "day"},' * 100 + '{"topic": "b", "wish": "day"}]}',
    ],
)
def test_bad_input_is_a_problem_and_never_an_error(api: Api, body: str) -> None:
    make_customer(external_id="E1")
    answer = api.patch(body)
    assert answer.status_code in (400, 422), answer.content
    assert answer["Content-Type"] == "application/problem+json"


def test_only_a_customer_who_is_there_has_wishes(api: Api) -> None:
    gone = make_customer(external_id="E1")
    make_topic(code="bills")
    assert api.get("E2").status_code == 404
    assert api.get("a%00b").status_code == 404
    Customer.objects.filter(pk=gone.pk).update(state="erased")
    assert api.get().status_code == 404
    assert api.tell(("bills", "day")).status_code == 404


def test_one_that_was_merged_is_answered_with_who_it_became(api: Api) -> None:
    now = make_customer(external_id="E2")
    was = make_customer(external_id="E1", phone="13800009999", email="was@mail.example")
    make_topic(code="bills")
    Customer.objects.filter(pk=was.pk).update(merged_into=now, state="merged")
    assert api.tell(("bills", "day")).status_code == 200
    assert DigestWish.objects.get().customer_id == now.pk


def test_each_scope_opens_its_own_door() -> None:
    make_customer(external_id="E1")
    make_topic(code="bills")
    reader, writer = Api("customers:read"), Api("customers:write")
    assert reader.get().status_code == 200
    assert reader.tell(("bills", "day")).status_code == 403
    assert writer.get().status_code == 403
    assert writer.tell(("bills", "day")).status_code == 200
    assert Client().get("/api/v1/customers/E1/digests").status_code == 401


def test_a_request_with_an_idempotency_key_is_done_once(api: Api) -> None:
    make_customer(external_id="E1")
    make_topic(code="bills")
    key = {"Idempotency-Key": "k1"}
    first = api.tell(("bills", "day"), **key)
    api.tell(("bills", "week"))
    again = api.tell(("bills", "day"), **key)
    assert (again.json(), again["Idempotent-Replayed"]) == (first.json(), "true")
    assert DigestWish.objects.get().wish == "week"


def test_reading_takes_the_same_queries_however_many_topics(api: Api, django_assert_num_queries: Any) -> None:
    make_customer(external_id="E1")
    api.tell(*[(make_topic(code=f"t{n}").code, "day") for n in range(3)])
    with django_assert_num_queries(6):
        assert len(api.get().json()["wishes"]) == 3
    api.tell(*[(make_topic(code=f"u{n}").code, "week") for n in range(20)])
    with django_assert_num_queries(6):
        assert len(api.get().json()["wishes"]) == 23
