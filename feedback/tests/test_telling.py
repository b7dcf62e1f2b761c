"""What happens to a case is told as events of its customer, once each."""

import pytest

from feedback.models import Case
from feedback.services import handling, notes
from feedback.services.intake.naming import name_customer
from feedback.tests.factories import RESOLUTION, make_agent, make_case
from notifyhub.customers.models import Event
from notifyhub.customers.services.timeline import events
from notifyhub.customers.tests.factories import make_customer
from notifyhub.staff.models import User

pytestmark = pytest.mark.django_db


def told() -> list[str]:
    return list(Event.objects.filter(source=Event.OWN).order_by("id").values_list("name", flat=True))


def resolve(case: Case, actor: User) -> None:
    notes.log_call(case_id=case.pk, actor=actor, body="Spoke with her")
    handling.resolve_case(case_id=case.pk, actor=actor, version=None, **RESOLUTION)


def test_opened_closed_reopened_and_closed_again_are_four_events() -> None:
    agent = make_agent()
    case = make_case(agent, order_number="F-1")
    resolve(case, agent)
    handling.reopen_case(case_id=case.pk, actor=agent, reason="Not solved")
    resolve(case, agent)
    handling.close_case(case_id=case.pk)
    assert told() == ["case_opened", "case_closed", "case_reopened", "case_closed"]
    names = list(Event.objects.order_by("id").values_list("message_id", flat=True))
    assert names == [f"case:{case.number}:{end}" for end in ("opened", "closed:1", "reopened:2", "closed:2")]
    assert set(Event.objects.values_list("order_number", flat=True)) == {"F-1"}


def test_a_case_that_is_set_aside_is_closed_to_the_customer_too() -> None:
    agent = make_agent()
    handling.void_case(case_id=make_case(agent).pk, actor=agent, reason="A test", version=None)
    assert told() == ["case_opened", "case_closed"]
    assert Event.objects.get(name="case_closed").properties["state"] == "void"


def test_a_caller_without_a_number_at_the_platform_is_told_of_too() -> None:
    case = make_case(make_agent(), customer_id=None, phone="13800005555")
    assert case.customer is not None
    assert case.customer.external_id is None
    assert told() == ["case_opened"]


def test_naming_the_customer_later_tells_it_under_their_name() -> None:
    agent = make_agent()
    case = make_case(agent, customer_id=None, phone="88886666 ext 2")
    assert case.customer_id is None
    assert told() == []
    customer = make_customer()
    name_customer(case_id=case.pk, actor=agent, version=None, customer_id=customer.pk)
    assert Event.objects.get().customer_id == customer.pk


def test_the_timeline_shows_no_case_twice() -> None:
    agent = make_agent()
    case = make_case(agent)
    assert not events(customer_id=case.customer_id or 0, before=None, limit=25, request=None)
