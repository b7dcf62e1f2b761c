from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from notifyhub.customers.models import Customer, Order
from notifyhub.customers.services.merging import merge_customers
from notifyhub.customers.services.search import find_customers
from notifyhub.customers.tests.factories import make_customer

pytestmark = pytest.mark.django_db


def found(text: str) -> list[int]:
    return [customer.pk for customer in find_customers(text=text)]


@pytest.mark.parametrize(
    "text",
    [
        "13912345678",
        "+86 139-1234-5678",
        "0086 139 1234 5678",
        "８６１３９１２３４５６７８",
        "139 1234 5678",
        "2345678",
        "5678",
        " Liu@Mail.Example ",
        "K-77",
        "H2611-4471-02",
        "Liu Wan",
    ],
)
def test_it_finds_a_customer_by_whatever_the_caller_says(text: str) -> None:
    customer = make_customer(
        phone="13912345678", email="liu@mail.example", external_id="K-77", name="Liu Wanqing"
    )
    make_customer(phone="13800001111", name="Zhao")
    Order.objects.create(
        customer=customer, number="H2611-4471-02", line="hotel", told_at=datetime(2026, 11, 1, tzinfo=UTC)
    )
    assert found(text) == [customer.pk]


@pytest.mark.parametrize(
    "text", ["", "   ", "\x00", "%", "_", "99999999999999999999", "@", "١٢٣٤", "a" * 999]
)
def test_it_finds_nobody_for_nonsense(text: str) -> None:
    make_customer()
    assert found(text) == []


def test_a_merged_row_leads_to_the_one_it_went_into() -> None:
    kept, merged = make_customer(name="Kept"), make_customer(name="Gone", external_id="OLD-1")
    merge_customers(kept_id=kept.pk, merged_id=merged.pk)
    assert found("OLD-1") == [kept.pk]


def test_erased_customers_are_not_found() -> None:
    customer = make_customer(external_id="K-1")
    Customer.objects.filter(pk=customer.pk).update(state="erased")
    assert found("K-1") == []


def test_it_returns_at_most_the_limit_and_never_decrypts(django_assert_max_num_queries: object) -> None:
    for n in range(30):
        make_customer(phone=f"139{n:04d}5678")
    with django_assert_max_num_queries(8):  # type: ignore[operator]
        rows = find_customers(text="5678", limit=20)
    assert len(rows) == 20
    assert all("value" in point.get_deferred_fields() for row in rows for point in row.contact_points.all())


@pytest.mark.parametrize("text", ["13912345678", "2345678", "5678", "liu@mail.example", "K-77", "Liu"])
def test_every_way_of_asking_has_its_index(text: str) -> None:
    make_customer(phone="13912345678", email="liu@mail.example", external_id="K-77", name="Liu")
    with CaptureQueriesContext(connection) as asked:
        find_customers(text=text)
    with connection.cursor() as cursor:
        # A planner that must not read whole tables does so only where nothing else answers.
        cursor.execute("SET LOCAL enable_seqscan = off")
        for query in asked.captured_queries:
            cursor.execute("EXPLAIN " + query["sql"])
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert "Seq Scan" not in plan, plan
