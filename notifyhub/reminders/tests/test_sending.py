"""From a due row to a message, by the doors that beat and the workers use."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Order
from notifyhub.customers.services.holds import place_hold, release_hold
from notifyhub.customers.tests.factories import make_customer
from notifyhub.messaging.models import Delivery, Dispatch, Halt
from notifyhub.messaging.services import copies
from notifyhub.messaging.services.halts import cancel_overdue, lift_halt
from notifyhub.reminders.models import Occasion, Reminder
from notifyhub.reminders.services import rules
from notifyhub.reminders.services.sending import send_due_reminders
from notifyhub.reminders.tests.factories import make_order, make_rule, make_text, plan, spec

pytestmark = pytest.mark.django_db


def _make_due(count: int = 1, **fields: Any) -> list[Order]:
    """Return orders whose step of two hours before is due since a minute."""
    due = timezone.now() + timedelta(hours=2) - timedelta(minutes=1)
    return [make_order(make_customer(), due_at=due, **fields) for _ in range(count)]


def test_a_tick_hands_over_and_a_worker_sends_each_reminder_once() -> None:
    orders = _make_due(3)
    rule = make_rule(spec(2, "hours"))

    call_command("run_tick_once")
    call_command("run_worker_once")
    call_command("run_tick_once")
    call_command("run_worker_once")

    dispatch = Dispatch.objects.get()
    assert (dispatch.origin_kind, dispatch.origin_id, dispatch.state) == (
        "reminder",
        str(rule.pk),
        "finished",
    )
    assert dispatch.title == "Bill due · 2 hours before"
    assert set(Reminder.objects.values_list("state", "dispatch_id")) == {("dispatched", dispatch.pk)}
    rows = Delivery.objects.filter(dispatch_id=dispatch.pk)
    assert [row.state for row in rows] == [Delivery.State.DELIVERED] * len(orders)
    assert {row.dedup_key for row in rows} == set(Reminder.objects.values_list("pk", flat=True))


def test_the_text_names_the_order_on_the_customers_clock() -> None:
    (order,) = _make_due()
    make_rule(spec(2, "hours", template=make_text(body="{{ order.number }} {{ order.due_at }} {{ date }}")))
    call_command("run_tick_once")
    call_command("run_worker_once")

    local = order.due_at.astimezone(timezone.get_default_timezone())
    row = Delivery.objects.get()
    assert _text(row) == f"{order.number} {local:%Y-%m-%d %H:%M} {local:%Y-%m-%d}"


def _text(row: Delivery) -> str:
    """Return the text that went out."""
    shown = copies.unpack_and_show(Dispatch.objects.get(pk=row.dispatch_id), row)
    return shown.text if shown else ""


@pytest.mark.parametrize("news", [{"state": "paid"}, {"amount_paid": 100}])
def test_who_pays_between_hand_over_and_sending_is_not_reminded(news: dict[str, Any]) -> None:
    paid, open_order = _make_due(2, amount_due=100)
    make_rule(spec(2, "hours"))
    call_command("run_tick_once")
    Order.objects.filter(pk=paid.pk).update(**news)
    call_command("run_worker_once")

    found = Delivery.objects.values_list("customer_id", "state", "reason")
    assert set(found) == {
        (paid.customer_id, Delivery.State.SKIPPED, "stopped"),
        (open_order.customer_id, Delivery.State.DELIVERED, ""),
    }
    row = Reminder.objects.get(customer=paid.customer)
    assert (row.state, row.reason) == ("dispatched", "order_state" if "state" in news else "paid")
    assert Occasion.objects.get(customer=paid.customer).state in ("stopped", "done")


def test_a_pause_reaches_what_waits_in_sending() -> None:
    _make_due()
    rule = make_rule(spec(2, "hours"))
    call_command("run_tick_once")
    rules.pause_rule(rule_id=rule.pk)
    call_command("run_worker_once")
    assert Delivery.objects.get().reason == "stopped"


def test_a_hold_on_the_order_keeps_its_reminder_back() -> None:
    (order,) = _make_due()
    make_rule(spec(2, "hours"), stop_held=False)
    place_hold(
        customer_id=order.customer_id, scope="subject", scope_value=order.subject, reason="Amount disputed"
    )
    call_command("run_tick_once")
    call_command("run_worker_once")
    assert Delivery.objects.get().reason == "hold"
    assert (_only().state, _only().reason) == ("dispatched", "held")


def test_a_rule_that_stops_on_a_hold_says_which_and_goes_on_once_it_is_released() -> None:
    (order,) = _make_due()
    make_rule(spec(2, "hours"))
    hold = place_hold(
        customer_id=order.customer_id, scope="subject", scope_value=order.subject, reason="Amount disputed"
    )
    plan()
    assert send_due_reminders() == 0
    assert (_only().state, _only().reason, _only().detail) == ("stopped", "held", "Amount disputed")
    release_hold(hold_id=hold.pk)
    plan()
    assert send_due_reminders() == 1


def _only() -> Reminder:
    return Reminder.objects.get()


def test_a_row_whose_order_was_paid_since_planning_is_not_handed_over() -> None:
    _make_due()
    make_rule(spec(2, "hours"))
    plan()
    Order.objects.update(state="paid")
    assert send_due_reminders() == 0
    assert not Dispatch.objects.exists()


def test_what_was_due_before_a_restore_waits_for_a_decision() -> None:
    _make_due()
    make_rule(spec(2, "hours"))
    plan()
    halt = Halt.objects.create(scope="restored", reason="Backup of yesterday")
    assert send_due_reminders() == 0
    lift_halt(halt_id=halt.pk)
    assert send_due_reminders() == 1


def test_what_was_due_before_a_restore_can_be_given_up() -> None:
    _make_due()
    make_rule(spec(2, "hours"))
    plan()
    Halt.objects.create(scope="restored", reason="Backup of yesterday")
    cancel_overdue()
    plan()
    assert send_due_reminders() == 0
    assert set(Reminder.objects.values_list("state", "reason")) == {("skipped", "late")}


def test_a_step_without_a_published_text_waits_and_keeps_no_other_from_going() -> None:
    _make_due(2)
    withdrawn, good = make_text(), make_text()
    make_rule(spec(2, "hours", template=withdrawn), spec(2, "hours", template=good))
    withdrawn.versions.update(state="retired")
    plan()
    assert send_due_reminders() == 2
    assert set(Reminder.objects.values_list("step", "state")) == {(1, "planned"), (2, "dispatched")}


def test_a_rule_that_messaging_refuses_keeps_no_other_from_going() -> None:
    _make_due()
    odd = make_rule(spec(2, "hours"))
    good = make_rule(spec(2, "hours"), name="Second")
    odd.live.steps.update(chain=[{"channel": "sms"}, {"channel": "sms"}])
    plan()
    with pytest.raises(Refused, match="named twice"):
        send_due_reminders()
    found = set(Reminder.objects.values_list("rule", "state"))
    assert found == {(odd.pk, "planned"), (good.pk, "dispatched")}


@pytest.mark.django_db(transaction=True)
def test_two_ticks_at_once_hand_each_row_over_once() -> None:
    _make_due(40)
    make_rule(spec(2, "hours"))
    plan()
    start, sent = threading.Barrier(2), []

    def tick() -> None:
        start.wait()
        sent.append(send_due_reminders())
        connection.close()

    threads = [threading.Thread(target=tick) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(sent) == 40
    items = Dispatch.objects.values_list("items__item", flat=True)
    assert sorted(items) == sorted(Reminder.objects.values_list("pk", flat=True))


@pytest.mark.django_db(transaction=True)
def test_two_plans_at_once_make_each_row_once() -> None:
    for order in _make_due(40):
        Order.objects.filter(pk=order.pk).update(due_at=timezone.now() + timedelta(days=2))
    make_rule(spec(2, "hours"), spec(1))
    start, failures = threading.Barrier(2), []

    def plan_at_once() -> None:
        start.wait()
        try:
            plan()
        except Exception as error:
            failures.append(error)
        connection.close()

    threads = [threading.Thread(target=plan_at_once) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert Reminder.objects.filter(state="planned").count() == 80


def test_a_channel_without_a_text_is_left_out_and_with_none_the_rows_wait() -> None:
    _make_due()
    waits = [{"channel": one, "wait": 60} for one in ("wechat", "sms")]
    make_rule(spec(2, "hours", chain=[*waits, {"channel": "email"}]))
    plan()
    send_due_reminders()
    assert Dispatch.objects.get(origin_kind="reminder").chain == [{"channel": "sms"}]
    other = make_rule(spec(2, "hours"), name="Second")
    other.live.steps.update(chain=[{"channel": "email"}])
    plan()
    assert send_due_reminders() == 0
    assert set(Reminder.objects.filter(rule=other).values_list("state", flat=True)) == {"planned"}
