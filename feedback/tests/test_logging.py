"""Logging a call: what is kept, what is asked back, who is told."""

import pytest
from django.test import Client
from django.urls import reverse

from feedback.models import Case, Interaction, SlaClock
from feedback.services.intake import log_case, open_duplicates
from feedback.tests.factories import category, make_agent, make_case
from notifyhub.core.errors import Refused
from notifyhub.customers.models import Customer, Event, Hold
from notifyhub.customers.tests.factories import make_customer
from notifyhub.staff.models import StaffNotice

pytestmark = pytest.mark.django_db

DETAIL = "The child bit on a piece of wire and bled, the photo is with the order."


def test_one_post_logs_a_complaint(client: Client) -> None:
    agent = make_agent()
    client.force_login(agent)
    answer = client.post(
        reverse("admin:feedback_case_add"),
        {"phone": "138 0013 8000", "category": category().pk, "summary": "Came an hour late"},
    )
    case = Case.objects.get()
    assert answer.status_code == 302
    assert answer["Location"] == reverse("admin:feedback_case_change", args=[case.pk])
    assert (case.state, case.owner, case.severity) == ("open", agent, "S3")
    assert case.contact_masked == "138****8000"
    assert case.team is not None
    assert case.team.name == "Service one"


def test_an_unknown_number_makes_a_provisional_customer() -> None:
    case = make_case(make_agent(), phone="139 1234 5678")
    assert case.customer is not None
    assert case.customer.provisional
    again = make_case(make_agent(), phone="+86-139-1234-5678")
    assert again.customer == case.customer


def test_a_number_that_is_none_is_kept_as_unverified() -> None:
    case = make_case(make_agent(), phone="front desk 12345")
    assert case.customer is None
    assert not case.contact_verified
    assert case.contact_phone == "front desk 12345"
    assert case.contact_last4 == "2345"


def test_two_customers_with_one_number_must_be_told_apart() -> None:
    make_customer(phone="13811112222")
    make_customer(phone="13811112222")
    with pytest.raises(Refused) as refused:
        make_case(make_agent(), phone="13811112222")
    assert refused.value.field == "phone"
    assert not Case.objects.exists()


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"phone": ""}, "phone"),
        ({"phone": "12"}, "phone"),
        ({"summary": "Late"}, "summary"),
        ({"summary": "x" * 121}, "summary"),
        ({"kind": "revenge"}, "kind"),
        ({"caller_relation": "x"}, "caller_relation"),
        ({"remedy_sought": "x"}, "remedy_sought"),
        ({"summary": "A child was bleeding"}, "detail"),
    ],
)
def test_what_is_missing_is_asked_at_its_field(client: Client, fields: dict[str, str], wrong: str) -> None:
    client.force_login(make_agent())
    post = {"phone": "13800138000", "category": str(category().pk), "summary": "Came an hour late", **fields}
    answer = client.post(reverse("admin:feedback_case_add"), post)
    assert answer.status_code == 422
    assert answer.context["error_field"] == wrong
    assert post["summary"] in answer.content.decode()
    assert not Case.objects.exists()
    assert not Customer.objects.exists()


def test_a_word_raises_the_severity_and_tells_a_lead() -> None:
    lead = make_agent("service_lead")
    case = make_case(make_agent(), summary="Wire in the rice, a child was injured", detail=DETAIL)
    assert (case.severity, case.priority) == ("S1", "P1")
    assert StaffNotice.objects.filter(recipient=lead, level="alarm").count() == 1


def test_a_serious_complaint_holds_promotions_but_praise_does_not() -> None:
    case = make_case(make_agent(), code="food-safety", detail=DETAIL)
    assert case.customer is not None
    hold = Hold.objects.get(customer=case.customer)
    assert (hold.scope, hold.origin_kind, hold.origin_id) == ("promotions", "case", case.number)
    praise = make_case(make_agent(), code="food-safety", detail=DETAIL, kind="praise")
    assert not Hold.objects.filter(customer=praise.customer).exists()


def test_a_live_call_meets_acknowledge_and_first_reply_at_once() -> None:
    case = make_case(make_agent())
    states = dict(SlaClock.objects.filter(case=case).values_list("metric", "state"))
    assert states == {"ack": "met", "first_reply": "met", "resolve": "running"}
    assert case.next_metric == "resolve"
    came_in = make_case(None)
    states = dict(SlaClock.objects.filter(case=came_in).values_list("metric", "state"))
    assert set(states.values()) == {"running"}
    assert came_in.next_metric == "ack"


def test_the_call_is_the_first_line_of_the_thread() -> None:
    case = make_case(make_agent(), detail="He waited downstairs in the rain.")
    line = Interaction.objects.get(case=case)
    assert (line.direction, line.kind, line.body) == ("in", "call", "He waited downstairs in the rain.")


def test_open_cases_of_the_caller_are_shown_before_saving(client: Client) -> None:
    agent = make_agent()
    case = make_case(agent, phone="13900001111")
    assert case.customer_id is not None
    assert open_duplicates(customer_id=case.customer_id) == [case]
    assert open_duplicates(customer_id=None, phone="139-0000-1111") == [case]
    client.force_login(agent)
    shown = client.post(reverse("admin:feedback_case_caller"), {"customer": case.customer_id})
    assert case.number in shown.content.decode()


def test_a_call_can_be_added_to_an_open_case_instead(client: Client) -> None:
    agent = make_agent()
    case = make_case(agent)
    client.force_login(agent)
    client.post(reverse("admin:feedback_case_add"), {"attach": case.pk, "summary": "He calls again"})
    assert Case.objects.count() == 1
    assert case.interactions.filter(body="He calls again", kind="call").exists()


def test_the_lookup_finds_by_last_four_and_never_shows_the_number(client: Client) -> None:
    customer = make_customer(phone="13877776666", name="Chen Yutong")
    client.force_login(make_agent())
    shown = client.post(reverse("admin:feedback_case_lookup"), {"phone": "6666"}).content.decode()
    assert "Chen Yutong" in shown
    assert "138****6666" in shown
    assert "13877776666" not in shown
    assert f'value="{customer.pk}"' in shown


def test_an_opened_case_is_an_event_of_the_customer() -> None:
    case = make_case(make_agent())
    event = Event.objects.get(customer_id=case.customer_id, name="case_opened")
    assert event.properties["case"] == case.number


def test_a_case_from_the_app_is_nobodys_and_new() -> None:
    case = make_case(None)
    assert (case.state, case.owner, case.unanswered) == ("new", None, True)


def test_the_same_reference_of_a_sender_is_one_case() -> None:
    facts = {
        "actor": None,
        "category_id": category().pk,
        "summary": "Passed on by 12315",
        "customer_id": make_customer().pk,
        "source": "regulator",
        "external_ref": "R-1",
    }
    case = log_case(**facts)
    with pytest.raises(Refused, match=case.number):
        log_case(**facts)


def test_an_unknown_caller_is_named_later_and_then_the_case_can_be_resolved(client: Client) -> None:
    agent = make_agent()
    case = make_case(agent, phone="front desk 12345")
    client.force_login(agent)
    assert (
        "Whose case is this?"
        in client.get(reverse("admin:feedback_case_customer", args=[case.pk])).content.decode()
    )
    url = reverse("admin:feedback_case_act", args=[case.pk, "name"])
    assert client.post(url, {"version": case.version, "phone": "12"}).status_code == 422
    customer = make_customer()
    post = {"version": case.version, "customer": customer.pk, "phone": "6666"}
    assert client.post(url, post).status_code == 302
    case.refresh_from_db()
    assert case.customer == customer
    assert client.post(url, post).status_code == 409
