"""A reply goes out through messaging; the thread says what became of it."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from feedback.models import Case, Interaction, SlaClock
from feedback.services import handling, replies, sweeps
from feedback.services.channels import channel_choices
from feedback.tests.factories import RESOLUTION, make_agent, make_case
from notifyhub.core.errors import Refused
from notifyhub.customers.models import ContactPoint, Suppression
from notifyhub.customers.tests.factories import make_customer
from notifyhub.messaging.models import DeliveryEvent, Dispatch, ProviderAccount
from notifyhub.staff.models import StaffNotice

pytestmark = pytest.mark.django_db


def send(client: Client, case: Case, **post: Any) -> Any:
    """Post the composer as the page does."""
    case.refresh_from_db()
    data = {"mode": "reply", "channel": "email", "body": "We refunded you today.", "version": case.version}
    return client.post(reverse("admin:feedback_case_act", args=[case.pk, "send"]), {**data, **post})


def page_of(client: Client, case: Case) -> str:
    """Return the case page."""
    return client.get(reverse("admin:feedback_case_change", args=[case.pk])).content.decode()


def rejecting_mailbox() -> None:
    """Let the answers of `reject@…` be refused for good."""
    ProviderAccount.objects.create(name="Memory", channel="email", backend="memory", priority=1)


def test_a_reply_is_shown_queued_then_delivered(client: Client) -> None:
    agent = make_agent()
    client.force_login(agent)
    case = make_case(agent)
    assert send(client, case).status_code == 302
    line = Interaction.objects.get(kind="reply")
    assert (line.state, line.direction, line.cycle) == ("queued", "out", 1)
    assert "Queued" in page_of(client, case)
    call_command("run_worker_once")
    assert "Delivered" in page_of(client, case)
    line.refresh_from_db()
    assert line.state == "delivered"
    dispatch = Dispatch.objects.get(pk=line.dispatch_id)
    assert (dispatch.origin_kind, dispatch.origin_id) == ("case", case.number)
    assert dispatch.message_class == "transactional"


def test_first_reply_is_met_by_the_hand_over_not_by_the_click(client: Client) -> None:
    agent = make_agent()
    client.force_login(agent)
    case = make_case(None)
    send(client, case)
    clock = SlaClock.objects.get(case=case, metric="first_reply")
    assert clock.state == "running"
    assert SlaClock.objects.get(case=case, metric="ack").state == "met"
    call_command("run_worker_once")
    clock.refresh_from_db()
    assert clock.state == "met"
    case.refresh_from_db()
    assert (case.state, case.owner, case.unanswered, case.next_metric) == ("open", agent, False, "resolve")


def test_a_hand_over_in_time_is_met_although_the_sweep_came_first() -> None:
    agent = make_agent()
    case = make_case(None)
    replies.reply(case_id=case.pk, actor=agent, body="Sorry", channel="email", version=None)
    call_command("run_worker_once")
    handed = SlaClock.objects.get(case=case, metric="first_reply").stopped_at
    assert handed is not None
    # The signal was lost, and the sweep came by after the due time.
    due = handed + timedelta(seconds=1)
    SlaClock.objects.filter(case=case, metric="first_reply").update(
        state="breached", breached_at=due, due_at=due, stopped_at=None
    )
    Interaction.objects.filter(kind="reply").update(state="queued")
    sweeps.run_case_sweep()
    clock = SlaClock.objects.get(case=case, metric="first_reply")
    assert (clock.state, clock.stopped_at, clock.breached_at) == ("met", handed, None)


def test_a_failed_reply_is_flagged_told_and_can_be_retried_by_another_channel(client: Client) -> None:
    agent = make_agent()
    client.force_login(agent)
    rejecting_mailbox()
    customer = make_customer(email="reject@mail.example")
    case = make_case(agent, customer_id=customer.pk)
    send(client, case)
    call_command("run_worker_once")
    case.refresh_from_db()
    assert case.failed_replies == 1
    assert StaffNotice.objects.filter(recipient=agent, dedup__startswith="reply-failed").count() == 1
    queue = client.get(reverse("admin:feedback_case_changelist"), {"view": "failed"})
    assert [row.pk for row in queue.context["cases"]] == [case.pk]
    page = page_of(client, case)
    line = Interaction.objects.get(kind="reply")
    retry = reverse("admin:feedback_case_retry", args=[case.pk, line.pk])
    assert retry in page
    assert "Retry" in page
    assert client.post(retry, {"channel": "sms"}).status_code == 302
    call_command("run_worker_once")
    line.refresh_from_db()
    case.refresh_from_db()
    assert (line.state, line.channel, case.failed_replies) == ("delivered", "sms", 0)
    assert retry not in page_of(client, case)
    assert client.post(retry).status_code == 422


def test_a_failed_reply_is_no_contact_for_resolving() -> None:
    agent = make_agent()
    rejecting_mailbox()
    case = make_case(None, customer_id=make_customer(email="reject@mail.example").pk)
    replies.reply(case_id=case.pk, actor=agent, body="Sorry", channel="email", version=None)
    call_command("run_worker_once")
    with pytest.raises(Refused) as refused:
        handling.resolve_case(case_id=case.pk, actor=agent, version=None, **RESOLUTION)
    assert refused.value.field == "message"
    handling.resolve_case(
        case_id=case.pk, actor=agent, version=None, message="Sorry again", channel="sms", **RESOLUTION
    )
    case.refresh_from_db()
    assert case.state == "resolved"


@pytest.mark.parametrize("body", ["", "   ", "Dear {{ customer.name }}", "x" * 4001])
def test_what_must_not_go_out_is_refused_with_the_text_kept(client: Client, body: str) -> None:
    agent = make_agent()
    client.force_login(agent)
    case = make_case(agent)
    answer = send(client, case, body=body)
    assert answer.status_code == 422
    assert answer.context["error_field"] == "body"
    assert answer.context["body"] == body
    assert not Dispatch.objects.exists()


def test_the_same_words_twice_in_a_minute_are_one_click_too_many(client: Client) -> None:
    agent = make_agent()
    client.force_login(agent)
    case = make_case(agent)
    assert send(client, case).status_code == 302
    assert send(client, case).status_code == 422
    assert Dispatch.objects.count() == 1


def test_channels_that_cannot_reach_the_customer_say_why(client: Client) -> None:
    customer = make_customer(email="gone@mail.example")
    ContactPoint.objects.filter(customer=customer, kind="email").update(
        valid=False, invalid_reason="hard_bounce"
    )
    phone = ContactPoint.objects.get(customer=customer, kind="phone")
    Suppression.objects.create(kind="phone", value_hash=phone.value_hash, masked="x", reason="stop")
    reasons = {choice.code: choice.reason for choice in channel_choices(customer) if not choice.available}
    assert reasons == {"email": "Bounced", "sms": "suppressed", "wechat": "no address", "push": "no address"}
    agent = make_agent()
    client.force_login(agent)
    case = make_case(agent, customer_id=customer.pk)
    answer = send(client, case, channel="email")
    assert answer.status_code == 422
    assert answer.context["error_field"] == "channel"


def test_notes_and_call_notes_never_leave_the_house(client: Client) -> None:
    agent = make_agent()
    client.force_login(agent)
    case = make_case(agent)
    send(client, case, mode="note", body="He shouted at us")
    send(client, case, mode="call", body="Called back, nobody there")
    assert not Dispatch.objects.exists()
    assert not DeliveryEvent.objects.exists()
    page = page_of(client, case)
    assert "Internal note, the customer does not see it" in page
    with pytest.raises(Exception, match="feedback_interaction_note_is_internal"):
        Interaction.objects.filter(kind="note").update(direction="out")


def test_send_and_wait_parks_the_case_and_pauses_its_clock(client: Client) -> None:
    agent = make_agent()
    client.force_login(agent)
    case = make_case(agent)
    assert send(client, case, then="wait").status_code == 302
    case.refresh_from_db()
    assert case.state == "wait_customer"
    clock = SlaClock.objects.get(case=case, metric="resolve")
    assert (clock.state, clock.due_at) == ("paused", None)
    handling.resume_case(case_id=case.pk, actor=agent)
    clock.refresh_from_db()
    assert clock.state == "running"
    assert clock.due_at is not None
    assert clock.due_at > timezone.now()


def test_another_agents_case_takes_notes_but_no_replies(client: Client) -> None:
    owner, other = make_agent(), make_agent()
    case = make_case(owner)
    client.force_login(other)
    assert send(client, case).status_code == 422
    assert send(client, case, mode="note", body="The rider called me").status_code == 302
    lead = make_agent("service_lead")
    client.force_login(lead)
    assert send(client, case, body="I take over from here").status_code == 302


def test_a_draft_is_kept_for_its_writer_and_gone_once_sent(client: Client) -> None:
    agent = make_agent()
    client.force_login(agent)
    case = make_case(agent)
    url = reverse("admin:feedback_case_draft", args=[case.pk])
    client.post(url, {"mode": "reply", "channel": "sms", "body": "Half a sen"})
    assert "Half a sen" in page_of(client, case)
    client.force_login(make_agent())
    assert "Half a sen" not in page_of(client, case)
    client.force_login(agent)
    send(client, case, body="Half a sentence, finished")
    assert not case.drafts.exists()
