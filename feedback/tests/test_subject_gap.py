"""What an agent says about an order counts for the gap of reminders; lists speak the reader's language."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from feedback.models import Case
from feedback.services.notes import log_call
from feedback.services.replies import reply
from feedback.tests.factories import make_agent, make_case
from notifyhub.customers.tests.factories import make_customer
from notifyhub.messaging.engine.respects import subject_respect
from notifyhub.messaging.models import Delivery, Dispatch
from notifyhub.messaging.services.ledger import messages_of
from notifyhub.messaging.tests.kit.limits import used
from notifyhub.messaging.tests.kit.sending import drain
from notifyhub.staff.models import User
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent() -> User:
    return make_agent()


def counted(case: Case) -> int:
    assert case.customer_id is not None
    return used(case.customer_id, subject_respect(case.subject_ref))


def test_a_reply_and_a_call_about_an_order_are_counted_once_each(agent: User) -> None:
    case = make_case(None, order_number="H77")
    assert case.subject_ref == "order:H77"
    assert counted(case) == 0
    reply(case_id=case.pk, actor=agent, body="Refunded.", channel="email", version=None)
    assert counted(case) == 1
    log_call(case_id=case.pk, actor=agent, body="They called about it")
    assert counted(case) == 2
    drain()
    # Its own message is transactional, and counts itself nowhere.
    assert counted(case) == 2


def test_a_call_that_is_logged_counts_and_what_came_in_by_itself_does_not(agent: User) -> None:
    assert counted(make_case(agent, order_number="H1", source="phone")) == 1
    assert counted(make_case(None, order_number="H2")) == 0


def test_what_is_about_no_order_counts_nowhere(agent: User) -> None:
    case = make_case(agent)
    reply(case_id=case.pk, actor=agent, body="Hello", channel="email", version=None)
    assert counted(case) == 0


def test_a_reminder_keeps_its_gap_to_the_reply(agent: User) -> None:
    from notifyhub.customers.tests.factories import make_topic
    from notifyhub.messaging.tests.kit.limits import limit
    from notifyhub.messaging.tests.kit.sending import dispatch_to, memory_account, reasons

    memory_account()
    limit("service", quiet_from=None, quiet_until=None, subject_gap_hours=20)
    customer = make_customer()
    case = make_case(None, order_number="H9", customer_id=customer.pk)
    reply(case_id=case.pk, actor=agent, body="Paid, thank you.", channel="email", version=None)
    dispatch = dispatch_to(
        [customer],
        message_class="service",
        topic=make_topic("orders", "service"),
        subject_ref=case.subject_ref,
    )
    drain()
    assert reasons(dispatch) == {"subject_gap": 1}


def test_whoever_reads_it_reads_it_in_their_own_language(agent: User, client: Client) -> None:
    with override("zh-hans"):
        case = make_case(agent)
        reply(case_id=case.pk, actor=agent, body="您好", channel="email", version=None)
    dispatch = Dispatch.objects.get()
    drain()
    delivery = Delivery.objects.get(dispatch_id=dispatch.pk)
    client.force_login(make_user("operations"))
    page = client.get(reverse("admin:messaging_delivery_page", args=[delivery.reference])).content.decode()
    assert f"Reply to case {case.number}" in page
    assert f"Reply written by {agent}" in page
    titles = client.get(reverse("admin:messaging_dispatch_changelist")).content.decode()
    assert f"Reply to case {case.number}" in titles
    with override("zh-hans"):
        line = messages_of(case.customer_id or 0, 5)[0]
        assert line.title == f"回复工单 {case.number}"
