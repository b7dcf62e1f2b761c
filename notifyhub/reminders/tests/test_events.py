"""Rules that start when something happens."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from notifyhub.customers.models import Customer, Event, EventBookmark
from notifyhub.customers.services.events.following import horizon
from notifyhub.customers.tests.factories import make_customer
from notifyhub.messaging.models import Dispatch
from notifyhub.reminders.models import Occasion, Reminder
from notifyhub.reminders.services.following import begin_at_once, follow_news
from notifyhub.reminders.services.sending import send_due_reminders
from notifyhub.reminders.tests.factories import make_order, make_rule, make_text, plan, spec, tell

pytestmark = pytest.mark.django_db


def _hear() -> int:
    """Follow the events as if the seconds had passed that the follower stays behind."""
    old = timezone.now() - timedelta(days=365)
    edge = horizon()
    Event.objects.filter(received_at__gt=edge - timedelta(seconds=60)).update(received_at=edge)
    EventBookmark.objects.update_or_create(name="reminders", defaults={"upto": old})
    return follow_news()


def _ago(**span: float) -> datetime:
    return timezone.now() - timedelta(**span)


def _cart(*steps: Any, **more: Any) -> Any:
    more = {"start": "event", "event_name": "cart_updated", "name": "Cart", **more}
    return make_rule(*(steps or (spec(1, "hours", "after"),)), **more)


def _rows() -> list[tuple[str, int, str, str]]:
    rows = Reminder.objects.order_by("occurrence", "step", "round")
    return [(row.subject_ref, row.step, row.state, row.reason) for row in rows]


def test_an_event_begins_an_occasion_with_its_facts_and_a_row_for_each_step() -> None:
    customer = make_customer()
    _cart(spec(1, "hours", "after"), spec(1, "days", "after"), subject_property="cart_id")
    at = _ago(minutes=10)
    tell(customer, "cart_updated", at=at, cart_id="c-7", total="99.50")
    _hear()
    one = Occasion.objects.get()
    assert (one.subject_ref, one.anchor_at, one.facts["total"]) == ("cart_id:c-7", at, "99.50")
    first = Reminder.objects.get(step=1)
    assert (first.due_at, first.state) == (at + timedelta(hours=1), "planned")
    assert Reminder.objects.count() == 2


def test_what_an_event_is_about() -> None:
    customer = make_customer()
    _cart()
    tell(customer, "cart_updated", order="H-1")
    tell(customer, "cart_updated", message_id="m-1")
    tell(customer, "cart_updated", message_id="x" * 120)
    _hear()
    long, *others = sorted(Occasion.objects.values_list("subject_ref", flat=True), key=len, reverse=True)
    assert sorted(others) == ["event:m-1", "order:H-1"]
    assert len(long) == 80


def test_hearing_an_event_again_begins_nothing_again() -> None:
    _cart(subject_property="cart_id")
    tell(make_customer(), "cart_updated", cart_id="c-1")
    _hear()
    before = list(Occasion.objects.values())
    _hear()
    assert list(Occasion.objects.values()) == before


@pytest.mark.parametrize(
    ("one", "said", "begins"),
    [
        ({"operator": "equals", "value": "vip"}, "vip", True),
        ({"operator": "equals", "value": 100}, 100.0, True),
        ({"operator": "equals", "value": True}, True, True),
        ({"operator": "equals", "value": "vip"}, "other", False),
        ({"operator": "not_equals", "value": "vip"}, None, True),
        ({"operator": "not_equals", "value": "vip"}, "vip", False),
        ({"operator": "at_least", "value": 100}, "100.5", True),
        ({"operator": "at_least", "value": 100}, "many", False),
        ({"operator": "at_most", "value": "9.99"}, 9.99, True),
        ({"operator": "contains", "value": "Tea"}, "Green tea and cake", True),
        ({"operator": "contains", "value": "tea"}, ["tea", "cake"], True),
        ({"operator": "contains", "value": "tea"}, ["teapot"], False),
        ({"operator": "exists"}, 0, True),
        ({"operator": "exists"}, None, False),
        ({"operator": "one_of", "value": ["a", "b"]}, "b", True),
        ({"operator": "one_of", "value": "a, b"}, "c", False),
        ({"operator": "equals", "value": "'; drop table x; --"}, "'; drop table x; --", True),
    ],
)
def test_conditions_on_properties(one: dict[str, Any], said: Any, begins: bool) -> None:
    _cart(event_filters=[{"property": "p", **one}])
    tell(make_customer(), "cart_updated", p=said)
    _hear()
    assert Occasion.objects.exists() is begins


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("2031-05-02T10:00:00+08:00", datetime(2031, 5, 2, 2, tzinfo=UTC)),
        ("2031-05-02T02:00:00Z", datetime(2031, 5, 2, 2, tzinfo=UTC)),
        ("2031-05-02 10:00", datetime(2031, 5, 2, 2, tzinfo=UTC)),
        ("2031-05-02", datetime(2031, 5, 1, 16, tzinfo=UTC)),
        ("2031-02-30", None),
        ("soon", None),
        (None, None),
        (20310502, None),
    ],
)
def test_a_property_as_the_date_is_read_on_the_customers_clock(said: Any, wanted: datetime | None) -> None:
    _cart(spec(2, "hours", "before"), event_name="visit_agreed", date_field="visit_at")
    tell(make_customer(time_zone="Asia/Shanghai"), "visit_agreed", visit_at=said)
    _hear()
    found = Occasion.objects.values_list("anchor_at", flat=True).first()
    assert found == wanted


def test_a_second_event_counts_anew_until_something_was_sent() -> None:
    customer = make_customer()
    _cart(spec(1, "hours", "after"), spec(5, "hours", "after"), subject_property="cart_id")
    tell(customer, "cart_updated", at=_ago(minutes=30), cart_id="c-1")
    _hear()
    later = _ago(minutes=5)
    tell(customer, "cart_updated", at=later, cart_id="c-1", total=7)
    _hear()
    one = Occasion.objects.get()
    assert (one.anchor_at, one.facts["total"]) == (later, 7)
    assert Reminder.objects.get(step=1).due_at == later + timedelta(hours=1)

    Reminder.objects.filter(step=1).update(state="dispatched", dispatch_id=1)
    tell(customer, "cart_updated", at=_ago(minutes=1), cart_id="c-1")
    _hear()
    assert _rows() == [
        ("cart_id:c-1", 1, "dispatched", ""),
        ("cart_id:c-1", 2, "stopped", "newer"),
        ("cart_id:c-1", 1, "planned", ""),
        ("cart_id:c-1", 2, "planned", ""),
    ]


def test_a_rule_may_keep_counting_from_the_first() -> None:
    customer, first = make_customer(), _ago(minutes=30)
    _cart(subject_property="cart_id", again="ignore")
    tell(customer, "cart_updated", at=first, cart_id="c-1")
    _hear()
    tell(customer, "cart_updated", cart_id="c-1")
    _hear()
    assert Occasion.objects.get().anchor_at == first


def test_events_in_reverse_order_come_out_as_in_order() -> None:
    customer = make_customer()
    _cart(subject_property="cart_id", stop_events=["cart_bought"])
    tell(customer, "cart_bought", at=_ago(minutes=5), cart_id="c-1")
    _hear()
    tell(customer, "cart_updated", at=_ago(minutes=9), cart_id="c-1")
    _hear()
    assert not Occasion.objects.exists()
    newer = _ago(minutes=2)
    tell(customer, "cart_updated", at=newer, cart_id="c-1")
    _hear()
    tell(customer, "cart_updated", at=_ago(minutes=4), cart_id="c-1")
    _hear()
    assert Occasion.objects.get().anchor_at == newer


def test_an_event_that_is_a_month_late_reminds_nobody() -> None:
    _cart()
    tell(make_customer(), "cart_updated", at=_ago(days=30))
    _hear()
    assert not Reminder.objects.exists()


def test_an_older_status_of_an_order_starts_nothing() -> None:
    customer = make_customer()
    make_rule(spec(1, "hours", "after"), start="event", event_name="order_placed", name="Unpaid")
    tell(customer, "order_paid", at=_ago(minutes=5), order="H-1")
    tell(customer, "order_placed", at=_ago(minutes=9), order="H-1")
    _hear()
    assert not Occasion.objects.exists()


def test_a_newer_status_of_the_order_ends_what_an_older_one_has_not_sent() -> None:
    customer = make_customer()
    status = {"start": "event", "newer_cancels": True, "grace_hours": 4}
    make_rule(spec(30, "minutes", "after"), event_name="flight_delayed", name="Delay", **status)
    make_rule(spec(30, "minutes", "after"), event_name="flight_cancelled", name="Cancelled", **status)
    tell(customer, "flight_delayed", at=_ago(minutes=9), order="F-1")
    tell(customer, "flight_delayed", at=_ago(minutes=9), order="F-2")
    _hear()
    tell(customer, "flight_cancelled", at=_ago(minutes=2), order="F-1")
    _hear()
    found = Reminder.objects.order_by("subject_ref", "rule__name").values_list(
        "subject_ref", "rule__name", "state", "reason", "detail"
    )
    assert list(found) == [
        ("order:F-1", "Cancelled", "planned", "", ""),
        ("order:F-1", "Delay", "stopped", "newer", "flight_cancelled"),
        ("order:F-2", "Delay", "planned", "", ""),
    ]


@pytest.mark.parametrize(
    ("matching", "said", "stops"),
    [
        ("subject", {"cart_id": "c-1"}, True),
        ("subject", {"cart_id": "c-2"}, False),
        ("customer", {"cart_id": "c-2"}, True),
    ],
)
def test_an_event_ends_what_is_about_the_same_or_all_of_the_customer(
    matching: str, said: dict[str, Any], stops: bool
) -> None:
    customer = make_customer()
    _cart(subject_property="cart_id", stop_events=["cart_bought"], stop_matching=matching)
    tell(customer, "cart_updated", at=_ago(minutes=9), cart_id="c-1")
    _hear()
    tell(customer, "cart_bought", **said)
    tell(make_customer(), "cart_bought", cart_id="c-1")
    _hear()
    row = Reminder.objects.get()
    assert (row.state, row.reason, row.detail) == (
        ("stopped", "event", "cart_bought") if stops else ("planned", "", "")
    )


def test_an_agreement_about_the_bill_ends_its_reminders_also_when_it_came_before_them() -> None:
    customer = make_customer()
    order = make_order(customer, due_at=timezone.now() + timedelta(days=5), placed_at=_ago(days=40))
    make_rule(spec(3), spec(1))
    tell(customer, "arrangement_agreed", at=_ago(days=20), order=order.number)
    plan()
    assert {row[2:] for row in _rows()} == {("stopped", "event")}


def test_an_orders_news_moves_its_reminders_within_a_tick() -> None:
    customer = make_customer()
    make_rule(spec(1), date_field="starts_at")
    plan()
    first = timezone.now() + timedelta(days=4)
    tell(
        customer,
        "booking_confirmed",
        order="B-1",
        check_in=first.isoformat(),
        line="hotel",
        at=_ago(minutes=3),
    )
    _hear()
    assert _rows() == [("order:B-1", 1, "planned", "")]
    moved = first + timedelta(days=1)
    tell(customer, "booking_updated", order="B-1", check_in=moved.isoformat(), at=_ago(minutes=2))
    _hear()
    assert Occasion.objects.get().anchor_at == moved
    tell(customer, "booking_cancelled", order="B-1", at=_ago(minutes=1))
    _hear()
    assert _rows() == [("order:B-1", 1, "stopped", "order_state")]


def test_an_event_of_a_rule_that_was_not_active_yet_starts_nothing() -> None:
    _cart(since=timezone.now() + timedelta(seconds=1))
    tell(make_customer(), "cart_updated")
    _hear()
    assert not Occasion.objects.exists()


def _at_once(**more: Any) -> Any:
    text = make_text(body="{{ event.gate }}")
    return _cart(spec(0, "minutes", "after", template=text), event_name="gate_changed", **more)


def _ids(name: str = "gate_changed") -> list[int]:
    return list(Event.objects.filter(name=name).values_list("pk", flat=True))


def test_a_step_without_offset_is_handed_over_as_its_event_arrives_and_once() -> None:
    rule = _at_once()
    tell(make_customer(), "gate_changed", gate="B12")
    assert begin_at_once(name="gate_changed", ids=_ids()) == 1
    dispatch = Dispatch.objects.get()
    assert (dispatch.priority, dispatch.state, dispatch.origin_id) == (0, "running", str(rule.pk))
    assert begin_at_once(name="gate_changed", ids=_ids()) == 0
    _hear()
    assert send_due_reminders() == 0
    assert Occasion.objects.get().state == "through"


def test_a_lost_doorbell_is_made_up_by_the_tick() -> None:
    _at_once()
    tell(make_customer(), "gate_changed", gate="B12")
    _hear()
    assert (Reminder.objects.get().state, Dispatch.objects.count()) == ("dispatched", 1)
    assert begin_at_once(name="gate_changed", ids=_ids()) == 0
    _hear()
    assert Dispatch.objects.count() == 1


def test_the_doorbell_rings_only_for_what_waits(django_capture_on_commit_callbacks: Any) -> None:
    _at_once()
    _cart()
    with django_capture_on_commit_callbacks(execute=True) as calls:
        tell(make_customer(), "gate_changed", gate="B12")
    assert len(calls) >= 1
    with django_capture_on_commit_callbacks() as calls:
        tell(make_customer(), "cart_updated")
    rung = [call for call in calls if "_ring" in repr(call)]
    assert rung == []


def test_two_merged_customers_are_reminded_as_one() -> None:
    from notifyhub.customers.services.merging import merge_customers
    from notifyhub.reminders.services.people import move_reminders

    kept, merged = make_customer(), make_customer(attributes={"birthday": "1990-05-17"})
    make_order(merged, due_at=timezone.now() + timedelta(days=5))
    make_rule(spec(3))
    plan()
    merge_customers(kept_id=kept.pk, merged_id=merged.pk)
    assert move_reminders(kept_id=kept.pk, merged_id=merged.pk) == 1
    row = Reminder.objects.get()
    assert (row.customer_id, row.occasion.customer_id, row.state) == (kept.pk, kept.pk, "planned")
    plan()
    assert Reminder.objects.get().state == "planned"
    assert Customer.objects.get(pk=merged.pk).state == "merged"
