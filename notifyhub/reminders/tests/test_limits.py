"""What keeps one reminder of many from going, and what is said about it."""

from datetime import datetime, time, timedelta
from typing import Any

import pytest
from django.utils import timezone

from notifyhub.customers.models import Order
from notifyhub.customers.tests.factories import make_customer
from notifyhub.messaging.models import Delivery, DispatchItem
from notifyhub.reminders.models import Occasion, Reminder, ReminderRule
from notifyhub.reminders.services.planning import plan_reminders
from notifyhub.reminders.services.sending import send_due_reminders
from notifyhub.reminders.tests.factories import change_rule, make_order, make_rule, plan, spec, tell
from notifyhub.staff.models import BusinessCalendar, CalendarDay

pytestmark = pytest.mark.django_db


def _now() -> datetime:
    return timezone.now()


def _make_due(customer: Any = None, **fields: Any) -> Order:
    """Return an order whose step of two hours before is due since a minute."""
    return make_order(customer or make_customer(), due_at=_now() + timedelta(minutes=119), **fields)


def _states() -> list[tuple[int, int, str, str, str]]:
    rows = Reminder.objects.order_by("step", "round", "pk")
    return [(row.step, row.round, row.state, row.reason, row.detail) for row in rows]


def test_a_step_comes_again_in_rounds_until_its_most() -> None:
    order = make_order(make_customer(), due_at=_now() - timedelta(minutes=1))
    make_rule(spec(0, "minutes", "after", repeat_days=2, repeat_max=3), date_field="due_at")
    plan()
    due = list(Reminder.objects.order_by("round").values_list("due_at", flat=True))
    assert due == [order.due_at + timedelta(days=2 * n) for n in range(3)]
    assert send_due_reminders() == 1
    assert send_due_reminders(now=_now() + timedelta(days=2)) == 1
    assert Occasion.objects.get().state == "running"
    assert send_due_reminders(now=_now() + timedelta(days=4)) == 1
    assert Occasion.objects.get().state == "through"


def test_rounds_that_an_outage_let_come_due_together_go_once() -> None:
    make_order(make_customer(), due_at=_now() - timedelta(minutes=1))
    make_rule(spec(0, "minutes", "after", repeat_days=1, repeat_max=4), grace_hours=100)
    plan()
    assert send_due_reminders(now=_now() + timedelta(days=2)) == 1
    assert [row[1:4] for row in _states()] == [
        (0, "skipped", "late"),
        (1, "skipped", "late"),
        (2, "dispatched", ""),
        (3, "planned", ""),
    ]


def test_after_an_outage_what_is_inside_the_grace_goes_once_and_the_older_says_that_it_is_late() -> None:
    customer = make_customer()
    start = _now()
    make_rule(spec(1, "hours", "before"), grace_hours=12)
    plan()
    early = make_order(customer, due_at=start + timedelta(hours=5), number="EARLY")
    make_order(customer, due_at=start + timedelta(days=2), number="INSIDE")
    after = start + timedelta(days=2, hours=3)
    plan_reminders(now=after)
    assert send_due_reminders(now=after) == 1
    found = dict(Reminder.objects.values_list("subject_ref", "reason"))
    assert found == {early.subject: "late", "order:INSIDE": ""}
    plan_reminders(now=after + timedelta(hours=2))
    assert send_due_reminders(now=after + timedelta(hours=2)) == 0


def test_send_hours_move_a_reminder_and_keep_when_it_was_wanted() -> None:
    customer = make_customer(time_zone="Asia/Shanghai")
    day = (_now() + timedelta(days=3)).date()
    at = datetime.combine(day, time(1, 0), tzinfo=timezone.get_default_timezone())
    make_order(customer, due_at=at)
    make_rule(spec(0, "minutes", "after"), send_from=time(9), send_until=time(21))
    plan()
    row = Reminder.objects.get()
    assert (row.due_at, row.wanted_at) == (at + timedelta(hours=8), at)


def test_days_off_move_or_leave_out_and_a_new_holiday_moves_what_is_planned() -> None:
    BusinessCalendar.objects.update(default=False)
    made = BusinessCalendar.objects.create(key="k", name="K", weekdays=[1, 2, 3, 4, 5, 6, 7], default=True)
    at = timezone.localtime() + timedelta(days=4)
    make_order(make_customer(), due_at=at)
    rule = make_rule(spec(1, "hours", "before"), working_days=True, off_day="before")
    plan()
    row = Reminder.objects.get()
    assert (row.due_at, row.wanted_at) == (at - timedelta(hours=1), None)

    CalendarDay.objects.create(calendar=made, day=(at - timedelta(hours=1)).date(), works=False)
    plan()
    row.refresh_from_db()
    assert (row.due_at, row.wanted_at) == (at - timedelta(days=1, hours=1), at - timedelta(hours=1))
    change_rule(rule, off_day="skip")
    plan()
    row.refresh_from_db()
    assert (row.state, row.reason) == ("skipped", "off_day")


def test_a_customer_gets_no_more_than_the_rule_allows_in_its_days() -> None:
    customer = make_customer()
    for _order in range(3):
        _make_due(customer)
    _make_due()
    make_rule(spec(2, "hours"), max_per_customer=2, max_days=30)
    plan()
    assert send_due_reminders() == 3
    skipped = Reminder.objects.get(state="skipped")
    assert (skipped.customer_id, skipped.reason, skipped.detail) == (customer.pk, "customer_max", "2 / 30")
    _make_due(customer)
    plan()
    assert send_due_reminders() == 0
    later = _now() + timedelta(days=31)
    Order.objects.filter(customer=customer).update(due_at=later + timedelta(minutes=119))
    Reminder.objects.filter(state="skipped").delete()
    Occasion.objects.exclude(reminders__state="dispatched").delete()
    plan_reminders(now=later)
    assert send_due_reminders(now=later) == 2


def test_one_subject_has_its_gap_and_its_most() -> None:
    _make_due()
    make_rule(spec(2, "hours"), spec(119, "minutes"), spec(1, "hours"), subject_gap_hours=1, subject_max=1)
    plan()
    assert send_due_reminders() == 1
    assert send_due_reminders(now=_now() + timedelta(hours=1, minutes=5)) == 0
    assert [row[2:] for row in _states()] == [
        ("dispatched", "", ""),
        ("skipped", "subject_max", "1"),
        ("skipped", "subject_max", "1"),
    ]


def test_the_gap_alone_lets_the_next_one_go_after_it() -> None:
    _make_due()
    make_rule(spec(2, "hours"), spec(119, "minutes"), spec(1, "minutes"), subject_gap_hours=1)
    plan()
    assert send_due_reminders() == 1
    assert send_due_reminders(now=_now() + timedelta(hours=2)) == 1
    assert [row[2:4] for row in _states()] == [
        ("dispatched", ""),
        ("skipped", "subject_gap"),
        ("dispatched", ""),
    ]


def test_a_held_out_customer_gets_nothing_is_said_to_be_and_stays_so() -> None:
    for _customer in range(60):
        _make_due()
    rule = make_rule(spec(2, "hours"), holdout=50)
    plan()
    sent = send_due_reminders()
    out = set(Occasion.objects.filter(held_out=True).values_list("customer_id", flat=True))
    assert 10 <= len(out) <= 50
    assert sent == 60 - len(out)
    said = Reminder.objects.filter(state="skipped", reason="held_out").values_list("customer_id", flat=True)
    assert set(said) == out
    for customer_id in out:
        Order.objects.filter(customer_id=customer_id).update(due_at=_now() + timedelta(days=3))
    Occasion.objects.all().delete()
    change_rule(rule, grace_hours=3)
    plan()
    again = Occasion.objects.filter(held_out=True).values_list("customer_id", flat=True)
    assert set(again) <= out


def test_conditions_leave_a_step_out_and_let_the_next_go_on() -> None:
    active, quiet = make_customer(), make_customer()
    for customer in (active, quiet):
        _make_due(customer)
    make_rule(
        spec(2, "hours"), spec(1, "minutes"), skips=[{"kind": "event_within", "name": "seen", "hours": 2}]
    )
    tell(active, "seen", at=_now() - timedelta(hours=1))
    plan()
    assert send_due_reminders() == 1
    row = Reminder.objects.get(customer=active, step=1)
    assert (row.state, row.reason, row.detail) == ("skipped", "condition", "event_within seen 2")
    assert send_due_reminders(now=_now() + timedelta(hours=2)) == 2


@pytest.mark.parametrize(
    ("kind", "read", "goes"),
    [
        ("previous_read", True, 0),
        ("previous_read", False, 1),
        ("previous_unread", True, 1),
        ("previous_unread", False, 0),
    ],
)
def test_a_step_may_depend_on_the_message_before(kind: str, read: bool, goes: int) -> None:
    from django.core.management import call_command

    _make_due()
    make_rule(spec(2, "hours"), spec(1, "minutes"), skips=[{"kind": kind}])
    call_command("run_tick_once")
    call_command("run_worker_once")
    assert Reminder.objects.get(step=1).state == "dispatched"
    if read:
        Delivery.objects.update(read_at=_now())
    assert send_due_reminders(now=_now() + timedelta(hours=2)) == goes


def test_a_message_that_was_read_ends_the_occasion_if_the_rule_says_so() -> None:
    from django.core.management import call_command

    _make_due()
    make_rule(spec(2, "hours"), spec(1, "minutes"), stop_reacted=True)
    call_command("run_tick_once")
    call_command("run_worker_once")
    Delivery.objects.update(read_at=_now())
    plan()
    assert [row[2:] for row in _states()] == [("dispatched", "", ""), ("stopped", "reacted", "sms")]


def test_what_has_begun_to_send_finishes_on_its_version_and_the_rest_takes_the_new_one() -> None:
    begun, fresh = _make_due(), make_order(make_customer(), due_at=_now() + timedelta(days=4))
    rule = make_rule(spec(2, "hours"), spec(1, "minutes"))
    plan()
    assert send_due_reminders() == 1
    first, second = rule.live, change_rule(rule, spec(3, "hours")).live
    plan()
    assert Occasion.objects.get(order=begun).rule_version == first
    assert Occasion.objects.get(order=fresh).rule_version == second
    rows = Reminder.objects.filter(subject_ref=fresh.subject).order_by("step")
    assert [(row.step, row.state, row.reason) for row in rows] == [
        (1, "stopped", "step_gone"),
        (2, "stopped", "step_gone"),
        (3, "planned", ""),
    ]
    assert send_due_reminders(now=_now() + timedelta(hours=2)) == 1


def test_a_rule_that_was_changed_sends_nothing_before_it_is_planned_anew() -> None:
    _make_due()
    rule = make_rule(spec(2, "hours"))
    plan()
    change_rule(rule, spec(1, "minutes"))
    assert send_due_reminders() == 0
    plan()
    assert send_due_reminders() == 0
    assert Reminder.objects.get(state="planned").step == 2


def test_what_is_sent_is_about_the_order_however_the_rule_counts() -> None:
    customer = make_customer()
    order = make_order(customer, number="P-1")
    make_rule(
        spec(0, "days", "after", at_time=time(0)),
        start="event",
        event_name="parcel_late",
        subject_property="parcel",
        name="Parcel",
        grace_hours=48,
    )
    tell(customer, "parcel_late", order=order.number, parcel="X9")
    from notifyhub.customers.models import Event
    from notifyhub.reminders.services.following import begin_at_once

    assert begin_at_once(name="parcel_late", ids=list(Event.objects.values_list("pk", flat=True))) == 0
    from notifyhub.reminders.services.following.starting import start_rule

    rule = ReminderRule.objects.select_related("live").get()
    start_rule(rule, now=_now(), which="true", params={})
    plan()
    assert send_due_reminders() == 1
    assert Reminder.objects.get().subject_ref == "parcel:X9"
    assert DispatchItem.objects.get().subject_ref == "order:P-1"
