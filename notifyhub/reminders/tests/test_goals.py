"""Whether and when a rule reached what it is for."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from notifyhub.customers.models import Order
from notifyhub.customers.tests.factories import make_customer
from notifyhub.reminders.models import Occasion, Reminder
from notifyhub.reminders.services import goals
from notifyhub.reminders.services.sending import send_due_reminders
from notifyhub.reminders.tests.factories import make_order, make_rule, plan, spec, tell

pytestmark = pytest.mark.django_db


def _now() -> datetime:
    return timezone.now()


def _mark() -> int:
    return goals.mark_done("true", {}, now=_now())


def test_a_payment_after_the_first_step_is_done_after_that_step_and_ends_the_rest() -> None:
    order = make_order(make_customer(), due_at=_now() + timedelta(minutes=119), amount_due=100)
    make_rule(spec(2, "hours"), spec(1, "minutes"))
    plan()
    send_due_reminders()
    at = _now()
    Order.objects.update(amount_paid=100, told_at=at)
    plan()
    one = Occasion.objects.get(order=order)
    assert (one.state, one.reason, one.done_at, one.done_step) == ("done", "paid", at, 1)
    assert Reminder.objects.get(step=2).reason == "paid"


def test_who_paid_before_anything_went_is_done_before_the_first() -> None:
    make_order(make_customer(), due_at=_now() + timedelta(days=2), amount_due=100)
    make_rule(spec(2, "hours"))
    plan()
    Order.objects.update(amount_paid=100, told_at=_now())
    plan()
    assert Occasion.objects.get().done_step == 0


def test_an_event_counts_within_its_days_after_the_last_reminder_and_not_later() -> None:
    early, late = make_customer(), make_customer()
    for customer in (early, late):
        make_order(customer, fulfilled_at=_now() - timedelta(days=3, minutes=1))
    make_rule(
        spec(0, "minutes", "after"),
        date_field="fulfilled_at",
        goal_events=["review_posted"],
        goal_days=2,
        stop_matching="customer",
        grace_hours=100,
        name="Review",
    )
    plan()
    assert send_due_reminders() == 2
    Occasion.objects.update(started_at=_now() - timedelta(days=3))
    tell(early, "review_posted", at=_now() - timedelta(days=2))
    tell(late, "review_posted", at=_now() - timedelta(minutes=5))
    _mark()
    done = dict(Occasion.objects.values_list("customer_id", "done_step"))
    assert done == {early.pk: 1, late.pk: None}


def test_those_held_out_are_counted_the_same() -> None:
    for _customer in range(30):
        make_order(make_customer(), due_at=_now() + timedelta(minutes=119), amount_due=100)
    make_rule(spec(2, "hours"), holdout=50)
    plan()
    send_due_reminders()
    Order.objects.update(amount_paid=100, told_at=_now())
    _mark()
    assert set(Occasion.objects.values_list("held_out", "done_step")) == {(True, 1), (False, 1)}
