"""What a rule would do: by day for everybody, and for one customer with the reason."""

from datetime import datetime, time, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifyhub.customers.models import Event, Order
from notifyhub.customers.services.holds import place_hold
from notifyhub.customers.tests.factories import make_customer
from notifyhub.reminders.models import Occasion, Reminder, ReminderRule, RuleVersion
from notifyhub.reminders.services import rules
from notifyhub.reminders.services.dryrun import Outcome, forecast_days, is_estimated, try_version
from notifyhub.reminders.services.sending import send_due_reminders
from notifyhub.reminders.tests.factories import make_order, make_rule, make_text, plan, rule_spec, spec, tell

pytestmark = pytest.mark.django_db


def _now() -> datetime:
    return timezone.now()


def _day(ahead: int) -> Any:
    return (timezone.localtime() + timedelta(days=ahead)).date()


def _due(ahead: int, **fields: Any) -> Order:
    at = datetime.combine(_day(ahead), time(12), tzinfo=timezone.get_default_timezone())
    return make_order(make_customer(), due_at=at, **fields)


def _words(outcomes: list[Outcome]) -> list[str]:
    return [outcome.words for outcome in outcomes]


def test_the_forecast_counts_what_is_planned_and_what_is_not_yet() -> None:
    for ahead in (5, 5, 20, 40):
        _due(ahead)
    _due(5, state="paid")
    rule = make_rule(spec(3), spec(1))
    expected = [(_day(2), 1, 2), (_day(4), 2, 2), (_day(17), 1, 1), (_day(19), 2, 1)]
    assert forecast_days(rule.live) == expected
    plan()
    assert forecast_days(rule.live) == expected
    assert sum(n for _day_, _step, n in forecast_days(rule.live, days=60)) == 8


def test_a_version_that_is_not_saved_is_foreseen_and_tried_and_nothing_is_written() -> None:
    order = _due(5)
    version, steps = rules.draft_version(data=rule_spec(), steps=[spec(3), spec(1)])
    before = ReminderRule.objects.count()
    assert forecast_days(version, steps=steps) == [(_day(2), 1, 1), (_day(4), 2, 1)]
    outcomes = try_version(version, order.customer, steps=steps)
    assert [(o.step.number, o.subject, o.tone) for o in outcomes] == [
        (1, order.number, "green"),
        (2, order.number, "green"),
    ]
    assert not Occasion.objects.exists()
    assert not Reminder.objects.exists()
    assert (ReminderRule.objects.count(), RuleVersion.objects.count()) == (before, before)


def test_a_rule_by_events_is_estimated_from_the_same_weekdays_and_says_so() -> None:
    rule = make_rule(spec(1, "days", "after", at_time=time(10)), start="event", event_name="cart_updated")
    noon = datetime.combine(_day(-7), time(12), tzinfo=timezone.get_default_timezone())
    for weeks in range(4):
        for _customer in range(3):
            tell(make_customer(), "cart_updated", at=noon - timedelta(weeks=weeks) + timedelta(hours=1))
    Event.objects.update(received_at=_now() - timedelta(days=1))
    found = forecast_days(rule.live)
    assert is_estimated(rule.live)
    assert found == [(_day(1 + 7 * week), 1, 3) for week in range(5) if 1 + 7 * week < 30]


def test_trying_says_when_and_by_what() -> None:
    order = _due(5)
    rule = make_rule(spec(3), spec(1))
    first = try_version(rule.live, order.customer)[0]
    assert first.due_at is not None
    assert first.words.startswith("Sent then.")
    plan()
    assert try_version(rule.live, order.customer)[0].reminder_id == Reminder.objects.get(step=1).pk


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"state": "cancelled"}, "Not sent: the order is “Cancelled”."),
        ({"amount_due": 5, "amount_paid": 5}, "Not sent: it is paid in full."),
    ],
)
def test_trying_says_what_stops_it(change: dict[str, Any], words: str) -> None:
    order = _due(5)
    rule = make_rule(spec(3))
    Order.objects.update(**change)
    assert _words(try_version(rule.live, order.customer)) == [words]


def test_trying_says_which_hold_and_which_event() -> None:
    order = _due(5)
    rule = make_rule(spec(3))
    place_hold(customer_id=order.customer_id, scope="subject", scope_value=order.subject, reason="Disputed")
    assert _words(try_version(rule.live, order.customer)) == ["Not sent while this is on hold: Disputed."]
    other = _due(5)
    tell(other.customer, "arrangement_agreed", order=other.number)
    assert _words(try_version(rule.live, other.customer)) == [
        "Not sent: “Payment arrangement agreed” has happened."
    ]


def test_trying_says_what_was_sent_and_what_moved_it() -> None:
    order = make_order(make_customer(), due_at=_now() + timedelta(minutes=119))
    rule = make_rule(spec(3, "days", "after", at_time=time(2)), send_from=time(9), send_until=time(20))
    (late,) = try_version(rule.live, order.customer)
    assert late.wanted_at is not None
    assert "Moved from" in late.words
    plain = make_rule(spec(2, "hours"), name="Plain")
    plan()
    send_due_reminders()
    assert _words(try_version(plain.live, order.customer)) == ["Handed to sending already; it goes once."]


def test_trying_a_rule_by_events_supposes_one_now_when_none_has_come() -> None:
    customer = make_customer()
    rule = make_rule(spec(2, "hours", "after"), start="event", event_name="cart_updated", name="Cart")
    (one,) = try_version(rule.live, customer)
    assert one.if_now
    assert one.due_at is not None
    tell(customer, "cart_updated", order="C-1", at=_now() - timedelta(minutes=5))
    (one,) = try_version(rule.live, customer)
    assert (one.if_now, one.subject) == (False, "C-1")


def test_trying_says_why_there_is_nothing() -> None:
    customer = make_customer()
    rule = make_rule(spec(3))
    assert _words(try_version(rule.live, customer)) == ["This customer has no order with that date."]
    birthday = make_rule(spec(0), start="customer", date_field="birthday", yearly=True, name="Birthday")
    assert _words(try_version(birthday.live, customer)) == ["The profile has no field “Birthday”."]


def test_trying_costs_the_same_for_many_orders() -> None:
    customer = make_customer()
    text = make_text()
    rule = make_rule(spec(3, template=text), spec(1, template=text))

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            try_version(rule.live, customer)
        return len(queries)

    make_order(customer, due_at=_now() + timedelta(days=5))
    count()
    before = count()
    for ahead in range(6, 12):
        make_order(customer, due_at=_now() + timedelta(days=ahead))
    assert count() == before
