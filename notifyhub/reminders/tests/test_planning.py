"""Which due rows there are, and what becomes of them when the facts change."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from notifyhub.customers.models import Customer, Order
from notifyhub.customers.tests.factories import make_customer
from notifyhub.reminders.models import Reminder
from notifyhub.reminders.services import rules
from notifyhub.reminders.tests.factories import change_rule, make_order, make_rule, plan, spec

pytestmark = pytest.mark.django_db


def _in(**span: float) -> Any:
    return timezone.now() + timedelta(**span)


def _only() -> Reminder:
    return Reminder.objects.get()


def test_an_order_due_soon_gets_one_row_per_step() -> None:
    order = make_order(make_customer(), due_at=_in(days=5))
    make_rule(spec(3), spec(2, "hours"), spec(1, side="after"))

    assert plan() == 3
    rows = Reminder.objects.order_by("due_at")
    assert [row.step for row in rows] == [1, 2, 3]
    assert rows[1].due_at == order.due_at - timedelta(hours=2)
    assert {row.subject_ref for row in rows} == {order.subject}
    assert {row.state for row in rows} == {"planned"}


def test_planning_again_changes_no_row() -> None:
    make_order(make_customer(), due_at=_in(days=5))
    make_customer(attributes={"birthday": f"1990-{_in(days=3):%m-%d}"})
    make_rule(spec(3), spec(1))
    make_rule(spec(0), start="customer", date_field="birthday", yearly=True, name="Birthday")

    assert plan() == 3
    before = list(Reminder.objects.order_by("pk").values())
    assert plan() == 0
    assert list(Reminder.objects.order_by("pk").values()) == before


def test_rows_that_are_right_are_not_even_written() -> None:
    make_order(make_customer(), due_at=_in(days=5))
    make_rule(spec(3))
    plan()
    versions = Reminder.objects.extra(select={"xmin": "reminders_reminder.xmin::text"}).values_list(
        "xmin", "pk"
    )
    before = list(versions)
    plan()
    assert list(versions) == before


def test_a_moved_booking_moves_its_row() -> None:
    order = make_order(make_customer(), starts_at=_in(days=3))
    make_rule(spec(6, "hours"), date_field="starts_at")
    plan()
    first = _only()

    Order.objects.update(starts_at=_in(days=5))
    order.refresh_from_db()
    assert plan() == 1
    row = _only()
    assert (row.pk, row.state, row.due_at) == (first.pk, "planned", order.starts_at - timedelta(hours=6))


def test_a_date_beyond_the_horizon_drops_the_row_until_it_comes_near() -> None:
    make_order(make_customer(), starts_at=_in(days=3))
    make_rule(spec(6, "hours"), date_field="starts_at")
    plan()

    Order.objects.update(starts_at=_in(days=60))
    plan()
    assert not Reminder.objects.exists()
    Order.objects.update(starts_at=_in(days=6))
    plan()
    assert _only().state == "planned"


def test_a_date_taken_away_stops_the_row_and_a_new_date_takes_it_up_again() -> None:
    make_order(make_customer(), starts_at=_in(days=3))
    make_rule(spec(6, "hours"), date_field="starts_at")
    plan()

    Order.objects.update(starts_at=None)
    plan()
    assert (_only().state, _only().reason) == ("stopped", "no_date")
    Order.objects.update(starts_at=_in(days=4))
    plan()
    assert (_only().state, _only().reason, _only().settled_at) == ("planned", "", None)


@pytest.mark.parametrize("state", ["paid", "cancelled", "refund_asked", "refunded", "disputed"])
def test_a_bill_that_is_settled_or_in_question_stops_its_reminders(state: str) -> None:
    make_order(make_customer(), due_at=_in(days=5))
    make_rule(spec(3), spec(1))
    plan()

    Order.objects.update(state=state)
    assert plan() == 2
    assert set(Reminder.objects.values_list("state", "reason")) == {("stopped", "order_state")}
    assert plan() == 0


def test_a_bill_that_is_paid_in_full_stops_whatever_its_state_and_a_part_does_not() -> None:
    make_order(make_customer(), due_at=_in(days=5), amount_due=100)
    make_rule(spec(3))
    plan()
    Order.objects.update(amount_paid=40, state="confirmed")
    assert plan() == 0
    Order.objects.update(amount_paid=100)
    plan()
    assert (_only().state, _only().reason, _only().detail) == ("stopped", "paid", "100.00 CNY")


def test_payment_does_not_stop_a_reminder_of_the_stay_itself() -> None:
    make_order(make_customer(), starts_at=_in(days=5), amount_due=100, amount_paid=100, state="confirmed")
    make_rule(spec(3), date_field="starts_at")
    assert plan() == 1


def test_an_order_that_is_open_again_is_reminded_again() -> None:
    make_order(make_customer(), due_at=_in(days=5))
    make_rule(spec(3))
    plan()
    Order.objects.update(state="disputed")
    plan()

    Order.objects.update(state="placed")
    plan()
    assert _only().state == "planned"


def test_a_paid_order_never_gets_a_row() -> None:
    make_order(make_customer(), due_at=_in(days=5), state="paid")
    make_rule(spec(3))
    assert plan() == 0


def test_what_is_later_than_its_grace_is_skipped_as_late() -> None:
    make_order(make_customer(), due_at=_in(days=1))
    make_rule(spec(2, "hours"), grace_hours=4)
    plan()
    Reminder.objects.update(due_at=_in(hours=-5))
    Order.objects.update(due_at=_in(hours=-3))

    plan()
    assert (_only().state, _only().reason) == ("skipped", "late")
    assert plan() == 0


def test_a_pause_stops_the_rows_and_a_start_takes_those_to_come_up_again() -> None:
    make_order(make_customer(), due_at=_in(days=5))
    rule = make_rule(spec(3))
    plan()

    rules.pause_rule(rule_id=rule.pk)
    plan()
    assert (_only().state, _only().reason) == ("stopped", "rule_off")
    rules.activate_rule(rule_id=rule.pk)
    plan()
    assert _only().state == "planned"


def test_what_was_due_before_the_rule_was_active_is_not_made_up() -> None:
    make_order(make_customer(), due_at=_in(hours=1))
    make_rule(spec(2, "hours"), since=timezone.now())
    plan()
    assert not Reminder.objects.exists()


def test_a_removed_step_stops_its_rows_and_the_others_keep_their_own() -> None:
    make_order(make_customer(), due_at=_in(days=6))
    rule = make_rule(spec(3), spec(1))
    plan()

    kept = rules.step_specs_of(rule.live.steps.filter(number=2))
    change_rule(rule, *kept, spec(2))
    plan()

    found = Reminder.objects.order_by("step").values_list("step", "state", "reason")
    assert list(found) == [(1, "stopped", "step_gone"), (2, "planned", ""), (3, "planned", "")]


def test_other_business_lines_are_left_alone() -> None:
    customer = make_customer()
    make_order(customer, due_at=_in(days=5), line="food")
    hotel = make_order(customer, due_at=_in(days=5), line="hotel")
    make_rule(spec(3), lines=["hotel", "travel"])
    plan()
    assert _only().occasion.order == hotel


def test_a_sent_row_answers_for_its_date_and_a_date_moved_by_days_is_another_occasion() -> None:
    make_order(make_customer(), starts_at=_in(hours=30))
    make_rule(spec(6, "hours"), date_field="starts_at")
    plan()
    Reminder.objects.update(state="dispatched", dispatch_id=1)

    Order.objects.update(starts_at=_in(hours=35))
    assert plan() == 0
    Order.objects.update(starts_at=_in(days=5))
    assert plan() == 1
    assert list(Reminder.objects.order_by("occurrence").values_list("occurrence", "state")) == [
        (0, "dispatched"),
        (1, "planned"),
    ]
    assert plan() == 0


def test_an_order_that_went_to_another_customer_takes_its_row_along() -> None:
    make_order(make_customer(), due_at=_in(days=5))
    make_rule(spec(3))
    plan()
    other = make_customer()
    Order.objects.update(customer=other)
    plan()
    assert _only().customer == other


def test_a_yearly_date_is_reminded_once_a_year() -> None:
    soon = _in(days=3)
    make_customer(attributes={"birthday": f"1990-{soon:%m-%d}"})
    make_rule(spec(0), start="customer", date_field="birthday", yearly=True)
    plan()
    assert (_only().occurrence, _only().occasion.order_id) == (soon.year, None)


def test_a_single_date_is_not_reminded_in_other_years() -> None:
    soon = _in(days=3)
    make_customer(attributes={"ends": f"{soon:%Y-%m-%d}"})
    make_customer(attributes={"ends": f"1990-{soon:%m-%d}"})
    make_rule(spec(0), start="customer", date_field="ends")
    plan()
    assert _only().occurrence == int(f"{soon:%Y%m%d}")


@pytest.mark.parametrize(
    "value",
    ["", "soon", "1990/05/17", "0000-01-01", "1990-13-01", "1990-00-10", 19900517, None, [], {"a": 1}],
)
def test_a_profile_value_that_is_no_date_hurts_nobody(value: Any) -> None:
    soon = _in(days=3)
    make_customer(attributes={"birthday": value})
    make_customer(attributes={"birthday": f"1990-{soon:%m-%d}"})
    make_rule(spec(0), start="customer", date_field="birthday", yearly=True)
    make_rule(spec(0), start="customer", date_field="birthday", name="Once")
    plan()
    assert Reminder.objects.count() == 1


def test_a_customer_in_a_zone_that_the_database_does_not_know_hurts_nobody() -> None:
    odd, usual = make_customer(time_zone="localtime"), make_customer()
    Customer.objects.filter(pk=odd.pk).update(time_zone="Mars/Olympus")
    for customer in (odd, usual):
        make_order(customer, due_at=_in(days=5))
    make_rule(spec(3))
    assert plan() == 2


def test_merged_and_erased_customers_get_nothing() -> None:
    kept, erased = make_customer(), make_customer(attributes={"birthday": f"1990-{_in(days=3):%m-%d}"})
    Customer.objects.filter(pk=erased.pk).update(state="erased")
    make_order(erased, due_at=_in(days=5))
    make_order(kept, due_at=_in(days=5))
    make_rule(spec(3))
    make_rule(spec(0), start="customer", date_field="birthday", yearly=True, name="Birthday")
    assert plan() == 1
