"""What a report means for its customer, and what becomes of a message in doubt."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from notifyhub.core.registry import ticks
from notifyhub.customers.models import Consent, ConsentRecord, ContactPoint, Customer, Suppression
from notifyhub.messaging.models import Delivery, DeliveryEvent, Dispatch, LookUp, ProviderAccount
from notifyhub.messaging.services.accounts import create_account
from notifyhub.messaging.services.receipts import (
    Receipt,
    look_up_due,
    look_up_unknown,
    may_look_up,
    record_receipts,
)
from notifyhub.messaging.tests.kit.processes import http_sink, lines_of
from notifyhub.messaging.tests.kit.sending import (
    assert_counts_are_the_ledger,
    dispatch_to,
    drain,
    make_recipients,
    memory_account,
    reasons,
    states,
)
from notifyhub.staff.models import AuditEntry
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db
State = Delivery.State


def sent(*emails: str) -> tuple[Dispatch, list[Delivery], list[Customer]]:
    memory_account()
    customers = make_recipients(*(emails or ("auto", "auto")))
    dispatch = dispatch_to()
    drain()
    rows = {one.customer_id: one for one in Delivery.objects.filter(dispatch_id=dispatch.pk)}
    return dispatch, [rows[one.pk] for one in customers], customers


def tell(row: Delivery, kind: str, **fields: Any) -> None:
    facts: dict[str, Any] = {"at": timezone.now(), **fields}
    record_receipts([Receipt(dispatch_id=row.dispatch_id, delivery_id=row.pk, kind=kind, **facts)])


def events(row: Delivery, kind: str) -> int:
    return DeliveryEvent.objects.filter(dispatch_id=row.dispatch_id, delivery_id=row.pk, kind=kind).count()


def test_a_bounce_gives_the_mailbox_up_for_everything() -> None:
    dispatch, (row, other), (customer, _rest) = sent()
    tell(row, "bounced", code="5.1.1")
    tell(row, "bounced", code="5.1.1")
    found = Suppression.objects.get()
    assert (found.scope, found.reason, found.kind) == ("all", "hard_bounce", "email")
    point = ContactPoint.objects.get(customer=customer, kind="email")
    assert (point.valid, point.invalid_reason) == (False, "hard_bounce")
    assert ContactPoint.objects.get(pk=other.contact_id).valid
    again = dispatch_to(message_class="transactional", topic=None)
    drain()
    assert reasons(again) == {"suppressed": 1} or reasons(again) == {"invalid_contact": 1}
    assert_counts_are_the_ledger(dispatch)


def test_a_failure_gives_nothing_up() -> None:
    _dispatch, (row, _other), _customers = sent()
    tell(row, "failed", code="MOBILE_NOT_ON_SERVICE")
    assert not Suppression.objects.exists()
    assert ContactPoint.objects.get(pk=row.contact_id).valid


def test_a_complaint_stops_promotions_and_the_topic() -> None:
    dispatch, (row, _other), (customer, _rest) = sent()
    for _time in range(3):
        tell(row, "complained")
    found = Suppression.objects.get()
    assert (found.scope, found.reason) == ("promotional", "spam_complaint")
    consent = Consent.objects.get(customer=customer, topic=dispatch.topic, channel="email")
    assert consent.decision == "out"
    assert ConsentRecord.objects.filter(customer=customer, source="complaint").count() == 1
    assert events(row, "complained") == 1
    row.refresh_from_db()
    assert row.state == State.DELIVERED


def test_an_unsubscription_reported_by_the_provider_counts_once() -> None:
    dispatch, (row, _other), (customer, _rest) = sent()
    tell(row, "unsubscribed")
    tell(row, "unsubscribed")
    assert Consent.objects.get(customer=customer, topic=dispatch.topic, channel="email").decision == "out"
    assert not Suppression.objects.exists()
    assert events(row, "unsubscribed") == 1


def test_the_first_pair_of_eyes_counts_and_an_image_fetched_is_none() -> None:
    _dispatch, (row, _other), _customers = sent()
    now = timezone.now()
    tell(row, "opened", at=now - timedelta(minutes=9))
    row.refresh_from_db()
    assert row.read_at is None
    tell(row, "clicked", at=now)
    tell(row, "read", at=now - timedelta(minutes=5))
    row.refresh_from_db()
    assert row.read_at == now - timedelta(minutes=5)
    assert (events(row, "opened"), events(row, "clicked")) == (1, 1)


ALIYUN: dict[str, Any] = {
    "access_key_id": "id",
    "access_key_secret": "sink",
    "sign_name": "店",
    "template_code": "SMS_1",
    "timeout": "1",
}


def doubtful(endpoint: str, *phones: str) -> tuple[Dispatch, ProviderAccount]:
    """Return a dispatch whose SMS the vendor took without an answer."""
    account = create_account(
        channel="sms", backend="aliyun", name="Aliyun", values={**ALIYUN, "endpoint": endpoint}
    )
    for phone in phones:
        make_recipients("auto", phone=phone)
    dispatch = dispatch_to(chain=[{"channel": "sms"}])
    drain()
    assert states(dispatch) == {"unknown": len(phones)}
    return dispatch, account


@pytest.fixture
def everybody(settings: Any) -> None:
    settings.ALLOW_RECIPIENTS = ["*"]


@pytest.mark.processes
def test_the_tick_asks_the_vendor_at_growing_intervals(tmp_path: Path, everybody: None) -> None:
    with http_sink(tmp_path) as (port, log):
        # The vendor took the first; the second never reached it.
        dispatch, account = doubtful(f"http://127.0.0.1:{port}", "+8613800000002", "+8613800000008")
        assert len(lines_of(log)) == 1
        assert look_up_due() == 0
        assert set(LookUp.objects.values_list("asked", "account_id")) == {(0, account.pk)}
        LookUp.objects.update(next_at=timezone.now())
        assert look_up_due() == 1
    assert states(dispatch) == {"delivered": 1, "unknown": 1}
    assert_counts_are_the_ledger(dispatch)
    left = LookUp.objects.get(next_at__isnull=False)
    assert left.asked == 1
    assert left.next_at == left.in_doubt_since + timedelta(minutes=4)
    for _time in range(6):
        LookUp.objects.filter(pk=left.pk).update(next_at=timezone.now())
        assert look_up_due() == 0
    left.refresh_from_db()
    assert (left.asked, left.next_at) == (7, None)
    assert states(dispatch) == {"delivered": 1, "unknown": 1}


@pytest.mark.processes
def test_a_person_need_not_wait_for_the_tick(tmp_path: Path, everybody: None) -> None:
    with http_sink(tmp_path) as (port, _log):
        dispatch, _account = doubtful(f"http://127.0.0.1:{port}", "+8613800000002")
        # The worker died before it could write down whom it talked to.
        DeliveryEvent.objects.filter(kind="unknown").update(account_id=None)
        assert may_look_up()
        assert look_up_unknown() == 1
        assert look_up_unknown(dispatch_id=dispatch.pk) == 0
    assert states(dispatch) == {"delivered": 1}
    assert AuditEntry.objects.filter(verb="look_up_unknown").count() == 2


def test_without_such_a_vendor_nobody_is_asked() -> None:
    sent("silent@mail.example")
    assert not may_look_up()
    assert look_up_due() == 0
    assert not LookUp.objects.exists()
    names = {name for name, _tick in ticks.items()}
    assert {"messaging.receipts", "messaging.lookup", "messaging.forget_receipts"} <= names


def page_of(row: Delivery) -> str:
    return f"/admin/messaging/delivery/{row.reference}/message/"


def test_a_message_in_doubt_is_settled_on_its_page_with_a_reason(client: Client) -> None:
    dispatch, (row,), _customers = sent("silent@mail.example")
    client.force_login(make_user("service_lead"))
    assert "lg-settle" in client.get(page_of(row)).content.decode()
    act = f"/admin/messaging/delivery/{row.reference}/settle/"
    for data in ({}, {"decision": "sent"}, {"decision": "maybe", "reason": "x"}):
        client.post(act, data)
        assert states(dispatch) == {"unknown": 1}
    answer = client.post(act, {"decision": "failed", "reason": "The mailbox shows nothing"}, follow=True)
    assert "Settled" in answer.content.decode()
    assert "lg-settle" not in answer.content.decode()
    assert states(dispatch) == {"failed": 1}
    assert AuditEntry.objects.get(verb="settle_message").reason == "The mailbox shows nothing"
    assert_counts_are_the_ledger(dispatch)
    assert client.post("/admin/messaging/delivery/1-x/settle/", {}).status_code == 404


def test_who_may_not_settle_sees_no_button(client: Client) -> None:
    dispatch, (row,), _customers = sent("silent@mail.example")
    client.force_login(make_user("agent"))
    assert "lg-settle" not in client.get(page_of(row)).content.decode()
    act = f"/admin/messaging/delivery/{row.reference}/settle/"
    assert client.post(act, {"decision": "sent", "reason": "I know"}).status_code == 403
    assert client.get(act).status_code in (403, 405)
    assert states(dispatch) == {"unknown": 1}


def test_the_account_page_shows_the_address_for_receipts(client: Client) -> None:
    client.force_login(make_user("operations"))
    pages = {}
    for backend, values in (
        ("aliyun", ALIYUN),
        ("webhook", {"endpoint": "https://g.example", "secret": "s"}),
    ):
        account = create_account(channel="sms", backend=backend, name=backend, values=values)
        url = f"/admin/messaging/provideraccount/{account.pk}/change/"
        pages[backend] = client.get(url).content.decode()
        assert f"/hooks/{account.pk}/" in pages[backend]
    assert "sink" not in pages["aliyun"]
    account = memory_account()
    answer = client.get(f"/admin/messaging/provideraccount/{account.pk}/change/")
    assert "/hooks/" not in answer.content.decode()
