"""A dispatch through the sandbox, from acceptance to its last count."""

import pytest
from django.core.management import call_command

from notifyhub.customers.tests.factories import make_customer, make_topic, opt_in
from notifyhub.messaging.models import Delivery, DeliveryEvent, Dispatch, MessageCopy
from notifyhub.messaging.services.dispatches import create_dispatch, progress

pytestmark = pytest.mark.django_db


def test_it_sends_to_everybody_who_opted_in_and_says_why_not_to_the_others() -> None:
    topic = make_topic()
    wanted = [make_customer() for _ in range(5)]
    for customer in wanted:
        opt_in(customer, topic, "email")
    make_customer()
    gone = make_customer()
    opt_in(gone, topic, "email", decision="out")
    dispatch = create_dispatch(
        title="Noodles",
        origin_kind="campaign",
        message_class="promotional",
        chain=[{"channel": "email"}],
        audience={"kind": "rule", "rule": {"all": True}},
        topic=topic,
        text={"subject": "Noodles", "body": "Half price"},
    )
    call_command("run_worker_once")
    dispatch.refresh_from_db()
    assert dispatch.state == Dispatch.State.FINISHED
    assert (dispatch.planned, dispatch.sent, dispatch.delivered, dispatch.skipped) == (7, 5, 5, 2)
    numbers = progress(dispatch_id=dispatch.pk)
    assert numbers.by_reason == {"no_consent": 1, "opted_out": 1}
    assert numbers.open == 0
    states = list(Delivery.objects.filter(dispatch_id=dispatch.pk).values_list("state", flat=True))
    assert sorted(states) == [40] * 5 + [90] * 2
    assert DeliveryEvent.objects.filter(dispatch_id=dispatch.pk, kind="delivered").count() == 5
    assert MessageCopy.objects.filter(dispatch_id=dispatch.pk).count() == 5
