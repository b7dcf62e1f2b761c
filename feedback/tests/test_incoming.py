"""What customers reply by SMS: into the case that is open, or into one new case."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from feedback.models import Case, CaseEvent, Interaction
from feedback.services import handling, replies
from feedback.services.incoming import MOST_AN_HOUR
from feedback.tests.factories import RESOLUTION, make_agent, make_case
from notifyhub.customers.models import Customer
from notifyhub.customers.tests.factories import make_customer
from notifyhub.messaging.models import InboundMessage, ProviderAccount
from notifyhub.messaging.services.accounts import update_account
from notifyhub.messaging.services.replies import take_replies
from notifyhub.messaging.tests.kit.replies import gateway, last_reply, phone_of, push, sent_to
from notifyhub.messaging.tests.kit.sending import drain, memory_account
from notifyhub.staff.models import StaffNotice
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db
State = Case.State


def reply(account: ProviderAccount, customer: Customer, text: str) -> InboundMessage:
    assert push(account, phone_of(customer), text) == 200
    take_replies()
    return last_reply()


def order_message(account: ProviderAccount) -> Customer:
    """Return a customer who was just told something about their order."""
    customer = make_customer()
    sent_to(customer, account, message_class="transactional", title="Your order is on its way")
    return customer


def waiting_case(customer: Customer) -> Case:
    """Return a case whose agent wrote to the customer by SMS and waits for them."""
    agent = make_agent()
    case = make_case(agent, customer_id=customer.pk)
    replies.reply(case_id=case.pk, actor=agent, body="Which dish was cold?", channel="sms", version=None)
    drain()
    case.refresh_from_db()
    return handling.wait_case(
        case_id=case.pk,
        actor=agent,
        party="customer",
        reason="which dish",
        until=timezone.now() + timedelta(days=1),
        version=case.version,
    )


def test_an_answer_about_an_order_opens_a_case_in_the_triage_queue() -> None:
    account = gateway()
    customer = order_message(account)
    came = reply(account, customer, "骑手一直没到，\n电话也不接")
    case = Case.objects.get()
    assert (case.state, case.source, case.owner, case.kind) == (State.NEW, "sms", None, "enquiry")
    assert (case.customer, case.unanswered, case.category.code) == (customer, True, "other")
    assert (case.delivery_ref, case.delivery_line) == (came.answers, "Your order is on its way")
    assert case.summary == "SMS: 骑手一直没到， 电话也不接"
    line = Interaction.objects.get()
    assert (line.body, line.direction, line.channel) == ("骑手一直没到，\n电话也不接", "in", "sms")
    assert (came.taken_kind, came.taken_id) == ("case", case.number)


def test_the_list_of_replies_leads_to_the_case_for_who_may_read_cases(client: Client) -> None:
    account = gateway()
    for _n in range(3):
        reply(account, order_message(account), "Where is it?")
    listing = reverse("admin:messaging_inboundmessage_changelist")
    links = [
        f'<a class="nh-link" href="{reverse("admin:feedback_case_change", args=[case.pk])}">{case.number}</a>'
        for case in Case.objects.all()
    ]
    client.force_login(make_agent())
    with CaptureQueriesContext(connection) as captured:
        page = client.get(listing).content.decode()
    assert len(links) == 3
    assert all(link in page for link in links)
    assert sum('"feedback_case"."number" IN' in query["sql"] for query in captured.captured_queries) == 1
    client.force_login(make_user("operations"))
    with CaptureQueriesContext(connection) as captured:
        page = client.get(listing).content.decode()
    assert all(case.number in page for case in Case.objects.all())
    assert not any(link in page for link in links)
    assert not any('FROM "feedback_case"' in query["sql"] for query in captured.captured_queries)


def test_many_replies_of_one_number_make_one_case_and_fill_no_thread() -> None:
    account = gateway()
    customer = order_message(account)
    for n in range(MOST_AN_HOUR + 20):
        push(account, phone_of(customer), f"Hello? {n}", name=f"in_{n}")
    for _again in range(2):
        take_replies()
        push(account, phone_of(customer), "Hello? 1", name="in_1")
    assert Case.objects.count() == 1
    assert Interaction.objects.count() == MOST_AN_HOUR
    assert InboundMessage.objects.filter(taken_id=Case.objects.get().number).count() == MOST_AN_HOUR + 20


def test_two_workers_open_one_case(transactional_db: None) -> None:
    account = gateway()
    customer = order_message(account)
    for n in range(12):
        push(account, phone_of(customer), f"Hello? {n}")

    def go() -> None:
        take_replies()
        connection.close()

    threads = [threading.Thread(target=go) for _n in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    take_replies()
    assert Case.objects.count() == 1
    assert Interaction.objects.count() == 12


def test_who_is_waited_for_and_answers_is_heard() -> None:
    account = memory_account("sms")
    inbound = gateway(active=False)
    customer = make_customer()
    case = waiting_case(customer)
    assert account.active
    came = reply(inbound, customer, "The noodles")
    case.refresh_from_db()
    assert (case.state, case.unanswered, case.wait_reason) == (State.OPEN, True, "")
    assert Interaction.objects.filter(case=case, direction="in").latest("pk").body == "The noodles"
    moved = CaseEvent.objects.get(case=case, kind="customer_replied")
    assert (moved.from_state, moved.to_state) == (State.WAIT_CUSTOMER, State.OPEN)
    assert StaffNotice.objects.filter(recipient=case.owner, title__contains=case.number).exists()
    assert (came.taken_id, Case.objects.count()) == (case.number, 1)


@pytest.mark.parametrize("text", ["R", "START"])
def test_a_word_of_refusal_is_no_message_in_the_case(text: str) -> None:
    account = gateway()
    customer = order_message(account)
    case = make_case(make_agent(), customer_id=customer.pk)
    before = Interaction.objects.filter(case=case).count()
    assert reply(account, customer, text).taken_id == ""
    assert Interaction.objects.filter(case=case).count() == before


@pytest.mark.parametrize(
    ("text", "state", "cycle"), [("Still not paid back", State.OPEN, 2), ("谢谢！", State.RESOLVED, 1)]
)
def test_a_resolved_case_is_opened_again_by_anything_but_thanks(text: str, state: str, cycle: int) -> None:
    memory_account("sms")
    inbound, customer, agent = gateway(active=False), make_customer(), make_agent()
    case = make_case(agent, customer_id=customer.pk)
    replies.reply(case_id=case.pk, actor=agent, body="Paid back", channel="sms", version=None)
    drain()
    handling.resolve_case(case_id=case.pk, actor=agent, version=None, **RESOLUTION)
    reply(inbound, customer, text)
    case.refresh_from_db()
    assert (case.state, case.cycle, Case.objects.count()) == (state, cycle, 1)
    assert Interaction.objects.filter(case=case, direction="in").latest("pk").body == text


def test_a_late_answer_to_a_closed_case_is_a_new_one_that_names_it() -> None:
    memory_account("sms")
    inbound, customer, agent = gateway(active=False), make_customer(), make_agent()
    case = make_case(agent, customer_id=customer.pk)
    replies.reply(case_id=case.pk, actor=agent, body="Paid back", channel="sms", version=None)
    drain()
    handling.resolve_case(case_id=case.pk, actor=agent, version=None, **RESOLUTION)
    handling.close_case(case_id=case.pk)
    reply(inbound, customer, "Nothing came")
    new = Case.objects.exclude(pk=case.pk).get()
    assert (new.follow_up_of, new.state) == (case, State.NEW)


@pytest.mark.parametrize(
    ("setting", "message_class", "cases"),
    [
        ("service", "transactional", 1),
        ("service", "service", 1),
        ("service", "promotional", 0),
        ("service", "informational", 0),
        ("service", "", 0),
        ("all", "promotional", 1),
        ("all", "", 1),
        ("none", "transactional", 0),
    ],
)
def test_the_account_says_which_replies_are_work(setting: str, message_class: str, cases: int) -> None:
    account, customer = gateway(opens_cases=setting), make_customer()
    if message_class:
        sent_to(customer, account, message_class=message_class)
    reply(account, customer, "Is there a table for four?")
    assert Case.objects.count() == cases


def test_an_open_case_gets_the_reply_whatever_the_account_says() -> None:
    account, customer = gateway(opens_cases="none"), make_customer()
    case = make_case(make_agent(), customer_id=customer.pk)
    assert reply(account, customer, "One more thing").taken_id == case.number
    assert Case.objects.count() == 1


def test_thanks_open_nothing() -> None:
    account = gateway(opens_cases="all")
    for text in ("谢谢", "OK", "收到。", "", "👍"):
        reply(account, order_message(account), text)
    assert not Case.objects.exists()


def test_an_unknown_number_makes_a_provisional_customer_where_all_replies_are_work() -> None:
    account = gateway(opens_cases="all")
    push(account, "13912340000", "Who are you?")
    push(account, "not a number", "Hello there")
    take_replies()
    case = Case.objects.get()
    assert case.customer is not None
    assert case.customer.provisional
    assert InboundMessage.objects.get(customer=case.customer).taken_id == case.number
    assert not InboundMessage.objects.filter(handled_at=None).exists()


def test_a_number_of_two_customers_opens_one_case_of_which_nobody_knows_yet_whose_it_is() -> None:
    account = gateway(opens_cases="all")
    for _n in range(2):
        make_customer(phone="13800006666")
    push(account, "13800006666", "Where is my refund?")
    push(account, "13800006666", "Hello?")
    take_replies()
    case = Case.objects.get()
    assert (case.customer, case.contact_last4) == (None, "6666")
    assert Interaction.objects.filter(case=case).count() == 2


def test_a_dangerous_word_in_a_reply_raises_the_case() -> None:
    account = gateway()
    reply(account, order_message(account), "吃完住院了")
    assert Case.objects.get().severity == "S1"


def test_the_agent_sees_it_in_the_thread_and_the_message_page_links_the_case(client: Client) -> None:
    account = gateway()
    came = reply(account, order_message(account), "Where is it?")
    case = Case.objects.get()
    client.force_login(make_agent("service_lead"))
    page = client.get(reverse("admin:feedback_case_change", args=[case.pk])).content.decode()
    assert page.count("Where is it?") >= 1
    message = client.get(reverse("admin:messaging_delivery_page", args=[came.answers])).content.decode()
    assert reverse("admin:feedback_case_change", args=[case.pk]) in message
    assert case.number in message


def test_the_switch_stands_on_the_form_of_accounts_that_take_replies(client: Client) -> None:
    client.force_login(make_agent("operations"))
    account = gateway()
    where = reverse("admin:messaging_provideraccount_change", args=[account.pk])
    page = client.get(where)
    assert "Open a case from replies" in page.content.decode()
    shown: dict[str, Any] = {field.name: field.value() for field in page.context["form"]}
    data = {name: value for name, value in shown.items() if value is not None} | {"opens_cases": "none"}
    answer = client.post(where, data)
    assert answer.status_code == 302, answer.context["form"].errors
    account.refresh_from_db()
    assert account.opens_cases == "none"
    assert client.post(where, {**data, "opens_cases": "maybe"}).status_code == 200
    update_account(account_id=account.pk, version=None, opens_cases="all")
    smtp = reverse("admin:messaging_provideraccount_add") + "?channel=email&backend=smtp"
    assert "Open a case from replies" not in client.get(smtp).content.decode()
