"""Real clocks and real workers, killed, doubled and raced: each reminder goes once, or says why not."""

import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from notifyhub.celery import app
from notifyhub.customers.models import Customer, Event, Order, Topic
from notifyhub.customers.services.consents import record_consent
from notifyhub.customers.services.events import EventIn, record_events
from notifyhub.customers.tests.factories import make_topic
from notifyhub.messaging.engine import bells
from notifyhub.messaging.models import Delivery, Dispatch, DispatchItem, Template
from notifyhub.messaging.services.templates import create_template, publish, save_content
from notifyhub.messaging.tests.kit.people import make_people, sink_account
from notifyhub.messaging.tests.kit.processes import celery, lines_of, running, sink, tick_until, wait_for
from notifyhub.reminders.models import Reminder
from notifyhub.reminders.services.following.realtime import AT_ONCE
from notifyhub.reminders.services.sending import send_due_reminders
from notifyhub.reminders.tests.factories import make_rule, plan, spec

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

CLOCK = ("-m", "notifyhub.reminders.tests.beats")
PEOPLE = 300


@pytest.fixture
def accepted(tmp_path: Path) -> Iterator[Path]:
    """Run a server that takes its time, with an account that uses it; give the log of what it accepted."""
    with sink(tmp_path, delay=0.01) as (port, log):
        sink_account(port, connections=1)
        yield log


def _text(topic: Topic) -> Template:
    made = create_template(
        key="reminder-mail",
        name="Reminder",
        message_class="service",
        topic=topic,
        channel="email",
        language="zh-hans",
    )
    save_content(
        template_id=made.pk,
        channel="email",
        language="zh-hans",
        subject="{{ order.number }}",
        body="{{ order.number }} {{ event.gate }}",
        version=1,
    )
    publish(template_id=made.pk)
    return made


def _due(people: list[Customer], *, first: int = 0) -> None:
    """Give each an unpaid bill, as the platform tells it; two hours before it was a minute ago."""
    at = (timezone.now() + timedelta(minutes=119)).isoformat()
    result = record_events(
        [
            EventIn(
                message_id=f"bill-{first + n}",
                name="bill_issued",
                occurred_at=timezone.now(),
                external_id=one.external_id or "",
                order_number=f"R-{first + n}",
                properties={"due_at": at, "amount_due": "100", "line": "hotel"},
                source="test",
            )
            for n, one in enumerate(people)
        ]
    )
    assert not result.problems


def _spec(topic: Topic, amount: int = 2, unit: str = "hours", side: str = "before") -> Any:
    return spec(amount, unit, side, template=_text(topic), channels=["email"])


def test_clocks_that_are_doubled_and_killed_hand_over_each_reminder_once(tmp_path: Path) -> None:
    topic = make_topic(message_class="service")
    people = make_people(PEOPLE, topic)
    make_rule(_spec(topic))
    plan()
    output = tmp_path / "clocks.log"
    for life in range(3):
        with running(*CLOCK, output=output) as one, running(*CLOCK, output=output) as other:
            ticking = 2 * life + 2
            wait_for(lambda n=ticking: output.read_text().count("ticking") >= n)  # type: ignore[misc]
            _due(people[100 * life : 100 * (life + 1)], first=100 * life)
            wait_for(lambda n=life: Reminder.objects.count() > 100 * n)  # type: ignore[misc]
            one.kill()
            time.sleep(0.05)
            other.kill()
    assert "Traceback" not in output.read_text()
    with running(*CLOCK, output=output):
        wait_for(lambda: Reminder.objects.filter(state="dispatched").count() == PEOPLE)
    assert Reminder.objects.filter(state="dispatched").count() == PEOPLE
    items = Counter(DispatchItem.objects.values_list("item", flat=True))
    assert set(items) == set(Reminder.objects.values_list("pk", flat=True))
    assert max(items.values()) == 1


def test_who_pays_cancels_or_leaves_while_the_worker_sends_is_not_reminded_and_the_row_says_why(
    accepted: Path, tmp_path: Path
) -> None:
    topic = make_topic(message_class="service")
    people = make_people(PEOPLE, topic)
    _due(people)
    make_rule(_spec(topic))
    plan()
    assert send_due_reminders() == PEOPLE
    with running(*celery(queues="bulk"), output=tmp_path / "worker.log"):
        dispatch = Dispatch.objects.get()
        app.signature(bells.PLAN).apply_async(args=[dispatch.pk], queue="bulk")
        wait_for(lambda: len(lines_of(accepted)) >= 20)
        sent = set(
            Delivery.objects.filter(dispatch_id=dispatch.pk, state__gt=0).values_list(
                "customer_id", flat=True
            )
        )
        waiting = [one for one in people if one.pk not in sent][-120:]
        Order.objects.filter(customer__in=waiting[:60]).update(amount_paid=100)
        Order.objects.filter(customer__in=waiting[70:100]).update(state="cancelled")
        for one in waiting[60:70]:
            record_consent(customer_id=one.pk, topic=topic, channel="email", decision="out", source="test")
        tick_until(lambda: Dispatch.objects.get(pk=dispatch.pk).state == "finished")
    rows = {row.customer_id: row for row in Delivery.objects.filter(dispatch_id=dispatch.pk)}
    stopped = [one.pk for one in waiting[:60] if rows[one.pk].reason == "stopped"]
    left = [one.pk for one in waiting[60:70] if rows[one.pk].reason == "opted_out"]
    # Those whose window was open already may still go.
    assert stopped
    assert left
    assert {rows[one.pk].state for one in waiting[:60]} <= {Delivery.State.SENT, Delivery.State.SKIPPED}
    said = Reminder.objects.filter(customer__in=stopped).values_list("reason", "detail")
    assert set(said) == {("paid", "100.00 CNY")}
    gone = [one.pk for one in waiting[70:100] if rows[one.pk].reason == "stopped"]
    said = Reminder.objects.filter(customer__in=gone).values_list("reason", "detail")
    assert set(said) == {("order_state", "cancelled")}
    assert len(lines_of(accepted)) == sum(row.state == Delivery.State.SENT for row in rows.values())


def test_an_event_is_answered_by_the_realtime_worker_once_however_often_it_rings(
    accepted: Path, tmp_path: Path
) -> None:
    topic = make_topic(message_class="service")
    people = make_people(20, topic)
    make_rule(
        _spec(topic, 0, "minutes", "after"),
        start="event",
        event_name="gate_changed",
        name="Gate",
        grace_hours=1,
    )
    plan()
    with (
        running(*celery(queues="realtime"), output=tmp_path / "worker.log"),
        running(*CLOCK, output=tmp_path / "clock.log"),
    ):
        record_events(
            [
                EventIn(
                    message_id=f"g-{n}",
                    name="gate_changed",
                    occurred_at=timezone.now(),
                    external_id=one.external_id or "",
                    properties={"gate": "B12"},
                    source="test",
                )
                for n, one in enumerate(people)
            ]
        )
        ids = list(Event.objects.values_list("pk", flat=True))
        for _ring in range(3):
            app.signature(AT_ONCE).apply_async(args=["gate_changed", ids], queue="realtime")
        tick_until(lambda: len(lines_of(accepted)) >= len(people))
        time.sleep(1)
    assert len(lines_of(accepted)) == len(people)
    assert Reminder.objects.filter(state="dispatched").count() == len(people)
