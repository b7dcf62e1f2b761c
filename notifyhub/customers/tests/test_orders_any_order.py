"""The same events give the same orders, in any order, in any batches, however often."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifyhub.customers.models import Customer, Event, EventKey, Order
from notifyhub.customers.services.events import EventIn, record_events
from notifyhub.customers.services.events.shapes import ORDER_EVENTS
from notifyhub.customers.tests.factories import make_customer

pytestmark = pytest.mark.django_db

START = datetime(2026, 10, 1, tzinfo=UTC)
FACTS = (
    "customer_id", "number", "line", "merchant", "city", "state", "currency", "amount_due", "amount_paid",
    "amount_refunded", "placed_at", "due_at", "starts_at", "promised_at", "fulfilled_at", "told_at", "told",
)  # fmt: skip
MOMENTS = st.integers(0, 6).map(lambda n: START + timedelta(hours=n))
SAID = st.fixed_dictionaries(
    {},
    optional={
        "merchant": st.sampled_from(["如家", "汉庭", "a", "Z"]),
        "city": st.sampled_from(["上海", "杭州", ""]),
        "line": st.sampled_from(["food", "hotel", "other"]),
        "currency": st.sampled_from(["CNY", "USD"]),
        "amount_due": st.integers(0, 3),
        "amount_paid": st.sampled_from(["0", "1.50", 2]),
        "due_at": MOMENTS.map(datetime.isoformat),
        "placed_at": MOMENTS.map(datetime.isoformat),
        "state": st.sampled_from(["paid", "confirmed", "disputed"]),
    },
)
EVENTS = st.lists(
    st.tuples(st.sampled_from(sorted(ORDER_EVENTS)), MOMENTS, st.sampled_from(["H1", "H2"]), SAID),
    min_size=1,
    max_size=8,
)


def forget() -> None:
    for model in (Event, EventKey, Order):
        model.objects.all().delete()
    Customer.objects.update(last_order_at=None)


def outcome(batches: list[list[EventIn]]) -> tuple[list[dict[str, Any]], Any]:
    """Take the batches in one after the other; return the orders and the customer's last one."""
    forget()
    for batch in batches:
        assert record_events(batch).problems == []
    return list(Order.objects.order_by("number").values(*FACTS)), Customer.objects.get().last_order_at


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=EVENTS, data=st.data())
def test_any_order_and_any_repetition_of_events_gives_the_same_orders(said: Any, data: Any) -> None:
    if not Customer.objects.exists():
        make_customer(external_id="E1")
    events = [
        EventIn(
            message_id=f"m{n}",
            name=name,
            occurred_at=at,
            external_id="E1",
            order_number=number,
            properties=facts,
        )
        for n, (name, at, number, facts) in enumerate(said)
    ]
    expected = outcome([sorted(events, key=lambda event: event.occurred_at)])
    mixed = data.draw(st.permutations(events + data.draw(st.lists(st.sampled_from(events), max_size=4))))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(mixed)), max_size=4)))
    batches = [mixed[a:b] for a, b in zip([0, *cuts], [*cuts, len(mixed)], strict=True)]
    assert outcome([batch for batch in batches if batch]) == expected


def test_a_state_told_after_an_empty_word_of_the_same_moment_is_told() -> None:
    make_customer(external_id="E1")
    empty, bill = (
        EventIn(
            message_id=name, name=name, occurred_at=START, external_id="E1", order_number="H1", properties={}
        )
        for name in ("booking_updated", "bill_issued")
    )
    assert outcome([[empty], [bill]]) == outcome([[bill, empty]]) == outcome([[bill], [empty]])
