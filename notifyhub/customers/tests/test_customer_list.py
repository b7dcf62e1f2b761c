import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifyhub.customers.models import ContactPoint, Customer
from notifyhub.customers.services.holds import place_hold
from notifyhub.customers.tests.factories import make_customer

pytestmark = pytest.mark.django_db
LIST = "/admin/customers/customer/"


def many(count: int) -> None:
    """Insert customers without going through the service, which is for one at a time."""
    rows = Customer.objects.bulk_create(
        Customer(name=f"N{n}", city=f"City {n % 7}", tags=["gold"] if n % 3 else []) for n in range(count)
    )
    ContactPoint.objects.bulk_create(
        ContactPoint(
            customer=row, kind="phone", value="+86139", value_hash=row.pk.to_bytes(16, "big"), masked="****",
            key_id="k1",
        )
        for row in rows
    )  # fmt: skip


def queries_of(client: Client, path: str) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as caught:
        assert client.get(path).status_code == 200
    return [query["sql"] for query in caught.captured_queries]


def test_the_list_takes_as_many_queries_for_ten_thousand_customers_as_for_ten(agent: Client) -> None:
    many(10)
    queries_of(agent, LIST)
    few = queries_of(agent, LIST)
    many(10_000)
    lots = queries_of(agent, LIST)
    assert len(lots) == len(few)
    assert not [
        sql for sql in lots if "COUNT(*)" in sql and "customers_customer" in sql and "LIMIT" not in sql
    ]
    assert len(queries_of(agent, LIST + "?p=400")) == len(few)


@pytest.mark.parametrize(
    "query",
    ["?city=City+1", "?tag=gold", "?state=hold", "?state=unreachable", "?state=merged", "?state=provisional",
     "?found=nothing", "?city=%00", "?p=x", "?o=1", "?q=13912345678", "?unknown=1"],
)  # fmt: skip
def test_every_filter_answers(agent: Client, query: str) -> None:
    many(30)
    assert agent.get(LIST + query, follow=True).status_code in (200, 400)


def test_numbers_are_masked_and_signs_shown(agent: Client) -> None:
    customer = make_customer(phone="13912345678", email="liu@mail.example", provisional=True)
    place_hold(customer_id=customer.pk, scope="promotions", reason="x")
    customer.contact_points.filter(kind="phone").update(
        valid=False, invalid_reason="not_in_service", invalid_since=timezone.now()
    )
    page = agent.get(LIST).content.decode()
    assert "139****5678" in page
    assert "13912345678" not in page
    assert "liu@mail.example" not in page
    for sign in ("provisional", "on hold", "unreachable"):
        assert sign in page


def test_searching_posts_and_puts_no_number_in_the_address(agent: Client) -> None:
    first = make_customer(phone="13912345678", name="Liu A")
    make_customer(phone="13800005678", name="Liu B")
    answer = agent.post(LIST + "search/", {"term": "139 1234 5678"})
    assert answer["Location"] == f"{LIST}{first.pk}/change/"
    answer = agent.post(LIST + "search/", {"term": "5678"})
    # A name made anew for each search says nothing of the number, whatever digits it happens to hold.
    again = agent.post(LIST + "search/", {"term": "5678"})
    assert re.fullmatch(r".*\?found=[0-9a-f]{12}", answer["Location"])
    assert again["Location"] != answer["Location"]
    page = agent.get(answer["Location"]).content.decode()
    assert "Liu A" in page
    assert "Liu B" in page
    make_customer(name="Somebody else")
    assert "Somebody else" not in agent.get(answer["Location"]).content.decode()


def test_a_search_without_a_hit_says_what_to_try(agent: Client) -> None:
    answer = agent.post(LIST + "search/", {"term": "nobody"}, follow=True)
    assert "last four digits" in answer.content.decode()
    assert agent.get(LIST + "search/").status_code == 405


def test_the_search_over_everything_finds_customers_masked(agent: Client) -> None:
    make_customer(phone="13912345678", name="Liu Wanqing")
    page = agent.post("/admin/find/", {"q": "13912345678"}).content.decode()
    assert "Liu Wanqing" in page
    assert "139****5678" in page


def test_nothing_can_be_deleted_or_saved_around_the_services(agent: Client) -> None:
    customer = make_customer(name="Before")
    answer: Any = agent.post(LIST, {"action": "delete_selected", "_selected_action": customer.pk})
    assert answer.status_code in (200, 302, 403)
    assert agent.post(f"{LIST}{customer.pk}/delete/", {"post": "yes"}).status_code == 403
    agent.post(f"{LIST}{customer.pk}/change/", {"name": "After"})
    customer.refresh_from_db()
    assert customer.name == "Before"
