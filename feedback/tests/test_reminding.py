"""A reminder is left out while the customer has a case open."""

from datetime import timedelta

import pytest
from django.utils import timezone

from feedback.models import Case
from feedback.tests.factories import make_agent, make_case
from notifyhub.core.errors import Refused
from notifyhub.customers.tests.factories import make_customer
from notifyhub.reminders.models import Reminder
from notifyhub.reminders.services import rules
from notifyhub.reminders.services.sending import send_due_reminders
from notifyhub.reminders.tests.factories import make_order, make_rule, plan, rule_spec, spec

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("about", "number", "state", "goes"),
    [
        ("customer", "", "open", 0),
        ("customer", "", "void", 1),
        ("subject", "", "open", 1),
        ("subject", "H-1", "open", 0),
    ],
)
def test_an_open_case_leaves_the_step_out(about: str, number: str, state: str, goes: int) -> None:
    customer = make_customer()
    make_order(customer, number="H-1", due_at=timezone.now() + timedelta(minutes=119))
    case = make_case(make_agent(), customer_id=customer.pk)
    Case.objects.filter(pk=case.pk).update(state=state, order_number=number, subject_ref="")
    make_rule(spec(2, "hours"), skips=[{"kind": "open_case", "about": about}])
    plan()
    assert send_due_reminders() == goes
    reason = Reminder.objects.values_list("reason", flat=True).get()
    assert reason == ("" if goes else "condition")


def test_a_condition_that_nobody_offers_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        rules.create_rule(data=rule_spec(skips=[{"kind": "open_door"}]), steps=[spec()])
    assert refusal.value.field == "skips.0"
