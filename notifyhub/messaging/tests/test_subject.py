"""Service messages about one order or bill: a gap between them and a maximum, over all that speaks of it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from notifyhub.customers.models import Customer, Topic
from notifyhub.customers.tests.factories import make_customer, make_topic
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.engine.respects import subject_respect
from notifyhub.messaging.models import Batch, Delivery, Dispatch, SendCount, SendDay
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.services.contacts import note_subject_contact
from notifyhub.messaging.services.dispatches import Item
from notifyhub.messaging.tests.kit.limits import count_before, found, limit, used
from notifyhub.messaging.tests.kit.sending import dispatch_to, drain, memory_account, reasons, states

pytestmark = pytest.mark.django_db
BILL = subject_respect("bill:7")


@pytest.fixture(autouse=True)
def _account() -> None:
    memory_account()


@pytest.fixture
def topic() -> Topic:
    return make_topic("bills", "service")


def remind(customer: Customer, topic: Topic, subject: str = "bill:7", **fields: object) -> Dispatch:
    """Send one service message about a subject, the way reminders do."""
    dispatch = dispatch_to(
        message_class="service",
        topic=topic,
        audience={"kind": "items"},
        items=[Item(item=1, customer_id=customer.pk, subject_ref=subject)],
        **fields,
    )
    drain()
    return dispatch


def test_a_second_message_about_a_subject_keeps_its_distance(topic: Topic) -> None:
    limit("service", subject_gap_hours=20)
    customer = make_customer()
    assert states(remind(customer, topic)) == {"sent": 1}
    second = remind(customer, topic)
    assert reasons(second) == {"subject_gap": 1}
    code, detail = found(second)[0]
    assert (code, detail.endswith("hours=20"), detail.startswith("last=20")) == ("subject_gap", True, True)
    # About another bill, or of another class, it is another matter.
    assert states(remind(customer, topic, "bill:8")) == {"sent": 1}
    other = dispatch_to([customer], message_class="transactional", subject_ref="bill:7")
    drain()
    assert states(other) == {"sent": 1}


def test_the_gap_ends(topic: Topic) -> None:
    limit("service", subject_gap_hours=20)
    customer = make_customer()
    count_before(customer.pk, BILL, subject=BILL, days=1, at=timezone.now() - timedelta(hours=21))
    assert states(remind(customer, topic)) == {"sent": 1}
    SendDay.objects.all().delete()
    count_before(customer.pk, BILL, subject=BILL, days=1, at=timezone.now() - timedelta(hours=19))
    assert reasons(remind(customer, topic)) == {"subject_gap": 1}


def test_the_window_keeps_the_gap_that_planning_could_not_see(topic: Topic) -> None:
    limit("service", subject_gap_hours=20)
    customer = make_customer()
    facts = {
        "message_class": "service",
        "topic": topic,
        "audience": {"kind": "items"},
        "items": [Item(item=1, customer_id=customer.pk, subject_ref="bill:7")],
        "priority": Priority.REALTIME,
    }
    first, second = dispatch_to(**facts), dispatch_to(**facts)
    assert states(first) == states(second) == {"planned": 1}
    drain()
    assert sorted((*states(first), *states(second))) == ["sent", "skipped"]
    assert used(customer.pk, BILL) == 1


def test_at_most_so_many_in_ninety_days(topic: Topic) -> None:
    limit("service", subject_max=3)
    customer = make_customer()
    count_before(customer.pk, BILL, subject=BILL, used=2, days=80)
    count_before(customer.pk, BILL, subject=BILL, used=5, days=90)
    assert states(remind(customer, topic)) == {"sent": 1}
    second = remind(customer, topic)
    assert found(second) == [("subject_max", "used=3 limit=3 days=90")]


def test_a_call_counts(topic: Topic) -> None:
    limit("service", subject_gap_hours=20, subject_max=5)
    customer = make_customer()
    note_subject_contact(customer_id=customer.pk, subject_ref="bill:7")
    note_subject_contact(customer_id=customer.pk, subject_ref="bill:7")
    assert used(customer.pk, BILL) == 2
    assert reasons(remind(customer, topic)) == {"subject_gap": 1}


def test_a_call_with_who_became_somebody_else_counts_for_them(topic: Topic) -> None:
    limit("service", subject_gap_hours=20)
    kept, merged = make_customer(), make_customer()
    Customer.objects.filter(pk=merged.pk).update(state="merged", merged_into=kept)
    note_subject_contact(customer_id=merged.pk, subject_ref="bill:7")
    assert reasons(remind(kept, topic)) == {"subject_gap": 1}


def test_a_failure_leaves_the_subject_free(topic: Topic) -> None:
    limit("service", subject_gap_hours=20)
    customer = make_customer(email="reject@mail.example")
    earlier = timezone.now() - timedelta(hours=21)
    count_before(customer.pk, BILL, subject=BILL, at=earlier)
    assert states(remind(customer, topic)) == {"failed": 1}
    counter = SendCount.objects.get(customer_id=customer.pk, respect=BILL)
    assert (counter.used, counter.at) == (1, earlier)
    assert states(remind(customer, topic)) == {"failed": 1}


def test_the_one_resend_of_a_message_in_doubt_does_not_count_again(topic: Topic) -> None:
    limit("service", subject_gap_hours=20, subject_max=1, duplicate_hours=24)
    customer = make_customer(email="once-silent@mail.example")
    dispatch = remind(customer, topic)
    assert states(dispatch) == {"planned": 1}
    assert used(customer.pk, BILL) == 1
    Batch.objects.filter(dispatch=dispatch, state=0).update(not_before=timezone.now())
    drain()
    assert states(dispatch) == {"sent": 1}
    assert used(customer.pk, BILL) == 1


def test_a_further_step_of_a_chain_is_the_same_contact(topic: Topic) -> None:
    limit("service", subject_gap_hours=20, subject_max=1, duplicate_hours=24, cap_day=9)
    memory_account("sms", name="Memory sms")
    customer = make_customer()
    dispatch = remind(customer, topic)
    assert states(dispatch) == {"sent": 1}
    first = Delivery.objects.get(dispatch_id=dispatch.pk)
    point = customer.contact_points.get(kind="phone")
    Delivery.objects.create(
        id=first.pk + 1,
        dispatch_id=dispatch.pk,
        customer_id=customer.pk,
        contact_id=point.pk,
        dedup_key=first.dedup_key,
        step=1,
        channel="sms",
        send_at=first.send_at,
    )
    Batch.objects.create(
        dispatch=dispatch,
        channel="sms",
        priority=1,
        lo=first.pk + 1,
        hi=first.pk + 1,
        cursor=first.pk,
        open_to=first.pk,
        not_before=first.send_at,
        step=1,
        chained=True,
    )
    Dispatch.objects.filter(pk=dispatch.pk).update(state="running")
    drain()
    assert states(dispatch) == {"sent": 2}
    assert used(customer.pk, BILL) == 1


def test_planning_skips_who_has_heard_enough(topic: Topic) -> None:
    limit("service", subject_gap_hours=20)
    tired, fresh = make_customer(), make_customer()
    note_subject_contact(customer_id=tired.pk, subject_ref="outage:1")
    dispatch = dispatch_to(message_class="service", topic=topic, subject_ref="outage:1")
    plan_dispatch(dispatch_id=dispatch.pk)
    assert reasons(dispatch) == {"subject_gap": 1}
    assert Delivery.objects.get(dispatch_id=dispatch.pk, state=0).customer_id == fresh.pk
