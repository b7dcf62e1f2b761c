"""Traits as conditions: each operator on rows that match and that do not, and the form that writes them."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Customer, CustomerTrait, Segment, TraitSettings
from notifyhub.customers.services.audiences import compile_audience
from notifyhub.customers.services.events.own import record_own_event
from notifyhub.customers.services.segments import count_rule, sample_rule
from notifyhub.customers.services.traits.catalogue import TRAITS
from notifyhub.customers.tests.factories import make_customer
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


def make_trait(**fields: Any) -> Customer:
    customer = make_customer()
    defaults = {"stage": "active", "computed_at": timezone.now()}
    CustomerTrait.objects.create(customer=customer, **{**defaults, **fields})
    return customer


def who(field: str, operator: str, value: Any) -> set[int]:
    return {row.pk for row in sample_rule(rule={"field": field, "operator": operator, "value": value})}


def ago(days: float) -> Any:
    return timezone.now() - timedelta(days=days)


def test_choices_and_texts() -> None:
    cooling = make_trait(stage="cooling", favourite_merchant="老城火锅", favourite_weekday=5)
    other, without = make_trait(stage="lost", favourite_weekday=1), make_customer()
    assert who("stage", "in", ["cooling", "new"]) == {cooling.pk}
    assert who("stage", "not_in", ["cooling"]) == {other.pk, without.pk}
    assert who("favourite_merchant", "in", ["老城火锅", "x"]) == {cooling.pk}
    assert who("favourite_weekday", "in", ["5"]) == {cooling.pk}


def test_numbers_and_hours() -> None:
    few, many = make_trait(orders_90=2, best_hour=23), make_trait(orders_90=9, best_hour=12)
    assert who("orders_90", "at_least", 3) == {many.pk}
    assert who("orders_90", "at_most", "2") == {few.pk}
    assert who("orders_90", "between", [2, 8]) == {few.pk}
    assert who("best_hour", "between", [22, 2]) == {few.pk}
    assert who("best_hour", "between", [11, 13]) == {many.pk}


def test_money_is_compared_in_one_currency_only() -> None:
    yuan = make_trait(spend_90=600, currency="CNY")
    make_trait(spend_90=9000, currency="JPY")
    nothing = make_trait(spend_90=0)
    assert who("spend_90", "at_least", 500) == {yuan.pk}
    assert who("spend_90", "at_most", 100) == {nothing.pk}
    TraitSettings.objects.create(pk=1, currency="JPY")
    assert who("spend_90", "at_least", 500) != {yuan.pk}


def test_dates_and_days() -> None:
    late, early = make_trait(last_order_at=ago(3.5)), make_trait(last_order_at=ago(40))
    never = make_trait()
    assert who("last_order", "within_days", 7) == {late.pk}
    assert who("last_order", "not_within_days", 7) == {early.pk, never.pk}
    assert who("last_order", "before", f"{ago(20):%Y-%m-%d}") == {early.pk}
    assert who("last_order", "after", f"{ago(20):%Y-%m-%d}") == {late.pk}
    assert who("days_since_order", "at_most", 3) == {late.pk}
    assert who("days_since_order", "at_least", 4) == {early.pk}
    assert who("days_since_order", "between", [40, 40]) == {early.pk}


def test_events_are_asked_for_with_a_span() -> None:
    clicked, late = make_customer(), make_customer()
    for n, (customer, days) in enumerate(((clicked, 2), (late, 50))):
        record_own_event(
            message_id=f"m{n}", customer_id=customer.pk, name="message_clicked", occurred_at=ago(days)
        )
    asked = {"event": "message_clicked", "days": 30}
    assert who("event", "within_days", asked) == {clicked.pk}
    assert who("event", "not_within_days", asked) == {late.pk}
    assert who("event", "within_days", {**asked, "days": 60}) == {clicked.pk, late.pk}


BAD = [
    ("event", "within_days", "message_clicked"),
    ("event", "within_days", {"event": "", "days": 3}),
    ("event", "within_days", {"event": "x", "days": "3"}),
    ("event", "within_days", {"event": "x", "days": 0}),
    ("orders_90", "at_least", "many"),
    ("orders_90", "at_least", True),
    ("orders_90", "at_least", None),
    ("orders_90", "at_least", "nan"),
    ("orders_90", "at_least", 10**30),
    ("orders_90", "between", [3]),
    ("orders_90", "between", [5, 3]),
    ("orders_90", "in", [3]),
    ("best_hour", "at_most", 24),
    ("last_seen", "within_days", 1.5),
    ("last_seen", "within_days", -1),
    ("last_seen", "before", "2026-02-31"),
    ("last_seen", "before", {}),
    ("stage", "in", []),
    ("stage", "in", ["dead"]),
    ("days_since_order", "at_least", 10**9),
]


@pytest.mark.parametrize(("field", "operator", "value"), BAD)
def test_a_bad_value_is_a_sentence(field: str, operator: str, value: Any) -> None:
    with pytest.raises(Refused) as refused:
        compile_audience({"field": field, "operator": operator, "value": value})
    assert str(refused.value)


def test_every_trait_counts_inside_any_group() -> None:
    values = {"number": 1, "money": 1, "hour": 1, "date": 30, "text": ["x"]}
    for name, trait in TRAITS.items():
        value = values.get(trait.kind, [trait.choices[0][0]] if trait.choices else None)
        operator = {"date": "within_days", "text": "in", "choice": "in"}.get(trait.kind, "at_least")
        one = {"field": name, "operator": operator, "value": value}
        count_rule(rule={"op": "not", "items": [{"op": "or", "items": [one, one]}]})


def posted(field: str, operator: str, *values: str) -> dict[str, Any]:
    return {
        "row": ["a"],
        "a-field": field,
        "a-operator": operator,
        "a-value": list(values),
        "join": "and",
        "name": f"S {field} {operator}",
        "kind": "rule",
    }


@pytest.mark.parametrize(
    ("row", "value", "words"),
    [
        (("stage", "in", "cooling"), ["cooling"], "Life-cycle stage is one of Cooling"),
        (("spend_90", "at_least", "500"), 500, "Spend, 90 days is at least 500"),
        (("orders_90", "between", "2", "8.5"), [2, 8.5], "Orders, 90 days is between 2 and 8.5"),
        (("last_seen", "within_days", "14"), 14, "Last seen was in the last 14 days"),
        (("last_seen", "before", "2026-10-01"), "2026-10-01", "Last seen was before 2026-10-01"),
        (
            ("event", "not_within_days", "message_clicked", "30"),
            {"event": "message_clicked", "days": 30},
            "“Link in a message clicked” was not in the last 30 days",
        ),
        (("favourite_merchant", "in", "A, B"), ["A", "B"], "Favourite merchant is one of A, B"),
    ],
)
def test_the_form_writes_it_and_shows_it_again(row: tuple[str, ...], value: Any, words: str) -> None:
    client = Client()
    client.force_login(make_user("marketing_editor"))
    assert client.get(f"/admin/customers/segment/condition/?field={row[0]}").status_code == 200
    answer = client.post("/admin/customers/segment/add/", posted(*row))
    assert answer.status_code == 302, answer.content.decode()[-2000:]
    segment = Segment.objects.get()
    assert segment.rule == {"field": row[0], "operator": row[1], "value": value}
    page = client.get(answer["Location"]).content.decode()
    assert words in page
    assert "This rule uses conditions that this form does not know" not in page


def test_what_was_typed_wrong_is_kept_beside_the_sentence() -> None:
    client = Client()
    client.force_login(make_user("marketing_editor"))
    answer = client.post("/admin/customers/segment/add/", posted("orders_90", "between", "5", "3"))
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "The first number is larger than the second." in page
    assert 'value="5"' in page
