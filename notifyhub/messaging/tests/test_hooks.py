"""Receipts as providers send them: verified as they come, stored once, matched with their messages."""

import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from notifyhub.messaging.models import Delivery, Dispatch, InboundReceipt, ProviderAccount
from notifyhub.messaging.services.accounts import create_account, update_account
from notifyhub.messaging.services.receipts import (
    drop_old_receipts,
    is_right_address,
    match_receipts,
    receipt_address,
)
from notifyhub.messaging.tests.factories import make_delivery, make_dispatch, make_event

pytestmark = pytest.mark.django_db
State = Delivery.State

SECRET = base64.b64encode(b"a secret of both sides").decode()


@pytest.fixture
def account() -> ProviderAccount:
    return create_account(
        channel="sms",
        backend="webhook",
        name="Gateway",
        values={"endpoint": "https://gateway.example/send", "secret": f"whsec_{SECRET}"},
    )


@pytest.fixture
def aliyun() -> ProviderAccount:
    return create_account(
        channel="sms",
        backend="aliyun",
        name="Aliyun",
        values={
            "access_key_id": "id",
            "access_key_secret": "secret",
            "sign_name": "店",
            "template_code": "SMS_1",
        },
    )


def message(account: ProviderAccount, state: int = State.SENT, ref: str = "") -> tuple[Dispatch, Delivery]:
    """Return a message that went through the account."""
    dispatch = make_dispatch()
    row = make_delivery(dispatch, 1, channel="sms", state=state, account_id=account.pk)
    make_event(row, "sent", account_id=account.pk, provider_ref=ref)
    return dispatch, row


def signed(
    body: bytes, *, name: str = "evt_1", at: float | None = None, secret: str = SECRET
) -> dict[str, str]:
    stamp = str(int(at or time.time()))
    digest = hmac.new(base64.b64decode(secret), f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def post(account: ProviderAccount, body: bytes, headers: dict[str, str]) -> int:
    answer = Client().post(f"/hooks/{account.pk}/", body, content_type="application/json", headers=headers)
    return answer.status_code


def told(dispatch: Dispatch, row: Delivery, kind: str = "delivered", **data: Any) -> bytes:
    facts = {"key": f"{dispatch.key.hex}.{row.pk}", **data}
    return json.dumps({"type": f"message.{kind}", "data": facts}).encode()


def test_a_signed_receipt_moves_its_message(account: ProviderAccount) -> None:
    dispatch, row = message(account)
    body = told(dispatch, row)
    assert post(account, body, signed(body)) == 200
    assert InboundReceipt.objects.get().matched_at is None
    assert match_receipts() == 1
    row.refresh_from_db()
    assert row.state == State.DELIVERED
    assert InboundReceipt.objects.get().matched_at is not None


def test_an_event_that_is_repeated_counts_once(account: ProviderAccount) -> None:
    dispatch, row = message(account)
    body = told(dispatch, row)
    for _time in range(10):
        assert post(account, body, signed(body)) == 200
    assert InboundReceipt.objects.count() == 1
    assert (match_receipts(), match_receipts()) == (1, 0)


@pytest.mark.parametrize("wrong", ["none", "secret", "body", "id", "old", "future", "stamp", "garbage"])
def test_what_is_not_signed_right_is_turned_away_and_not_stored(account: ProviderAccount, wrong: str) -> None:
    dispatch, row = message(account)
    body = told(dispatch, row)
    headers = {
        "none": {},
        "secret": signed(body, secret=base64.b64encode(b"another").decode()),
        "body": signed(body + b" "),
        "id": {**signed(body), "webhook-id": "evt_2"},
        "old": signed(body, at=time.time() - 301),
        "future": signed(body, at=time.time() + 301),
        "stamp": {**signed(body), "webhook-timestamp": "１２３"},
        "garbage": {**signed(body), "webhook-signature": "v1,äöü v2,x v1"},
    }[wrong]
    answer = Client().post(f"/hooks/{account.pk}/", body, content_type="application/json", headers=headers)
    assert answer.status_code == 401
    assert not InboundReceipt.objects.exists()


def test_a_secret_is_replaced_with_both_in_force(account: ProviderAccount) -> None:
    new = base64.b64encode(b"the next secret").decode()
    update_account(account_id=account.pk, version=None, values={"secret": f"whsec_{SECRET} whsec_{new}"})
    body = told(*message(account))
    assert post(account, body, signed(body)) == 200
    assert post(account, body, signed(body, name="evt_2", secret=new)) == 200
    both = signed(body, name="evt_3", secret=new)
    both["webhook-signature"] = f"v1,AAAA {both['webhook-signature']}"
    assert post(account, body, both) == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 5000,
        b'"text"',
        b"{}",
        b'{"type": "message.delivered"}',
        b'{"type": 3, "data": {"key": "x"}}',
        b'{"type": "message.delivered", "data": {}}',
        b'{"type": "message.delivered", "data": []}',
        b"\xff\xfe",
    ],
)
def test_a_body_of_another_shape_is_said_to_be_wrong(account: ProviderAccount, body: bytes) -> None:
    assert post(account, body, signed(body)) == 400
    assert not InboundReceipt.objects.exists()


def test_odd_values_are_no_trouble(account: ProviderAccount) -> None:
    _dispatch, row = message(account)
    odd = [
        {
            "type": "message.delivered",
            "timestamp": "yesterday",
            "data": {"key": "x" * 500, "id": "\x00" * 300},
        },
        {"type": "message.moon_landing", "data": {"key": "x"}},
        {
            "type": "message.failed",
            "timestamp": "1999-01-01T00:00:00Z",
            "data": {"id": 7, "detail": ["\x00"]},
        },
        {
            "type": "message.delivered",
            "timestamp": "2999-01-01T00:00:00Z",
            "data": {"key": f"{row.dispatch_id}-{row.pk}"},
        },
    ]
    body = json.dumps(odd).encode()
    assert post(account, body, signed(body)) == 200
    assert InboundReceipt.objects.count() == 3
    assert match_receipts() == 1
    row.refresh_from_db()
    assert row.delivered_at is not None
    assert row.delivered_at <= timezone.now()


def test_more_than_256_kb_is_not_read(account: ProviderAccount) -> None:
    body = b" " * (256 * 1024 + 1)
    assert post(account, body, signed(body)) == 413


def test_nobody_waits_for_receipts_elsewhere(account: ProviderAccount) -> None:
    smtp = create_account(
        channel="email",
        backend="smtp",
        name="Mail",
        values={"host": "m.example", "from_email": "a@m.example"},
    )
    body = b"{}"
    assert post(smtp, body, signed(body)) == 404
    client = Client()
    assert (
        client.post("/hooks/999999999999999999999/", body, content_type="application/json").status_code == 404
    )
    assert client.get(f"/hooks/{account.pk}/").status_code == 405
    assert receipt_address(smtp) == ""


def test_the_address_is_the_secret_where_a_vendor_signs_nothing(aliyun: ProviderAccount) -> None:
    dispatch, row = message(aliyun, ref="900001^0")
    body = json.dumps(
        [
            {
                "phone_number": "13900001111",
                "send_time": "2026-11-22 09:00:00",
                "report_time": "2026-11-22 09:00:05",
                "success": True,
                "err_code": "DELIVERED",
                "err_msg": "用户接收成功",
                "sms_size": "1",
                "biz_id": "900001^0",
                "out_id": f"{dispatch.key.hex}.{row.pk}",
            }
        ]
    )
    path = receipt_address(aliyun).partition("://")[2].partition("/")[2]
    client = Client()
    assert client.post(f"/hooks/{aliyun.pk}/", body, content_type="application/json").status_code == 401
    wrong = f"/{path[:-5]}abcd/"
    assert client.post(wrong, body, content_type="application/json").status_code == 401
    answer = client.post(f"/{path}", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (200, 0)
    assert client.post(f"/{path}", body, content_type="application/json").status_code == 200
    assert (InboundReceipt.objects.count(), match_receipts()) == (1, 1)
    row.refresh_from_db()
    assert row.state == State.DELIVERED
    assert "13900001111" not in str(InboundReceipt.objects.values())


def test_a_new_number_makes_the_old_address_wrong(aliyun: ProviderAccount, settings: Any) -> None:
    old = receipt_address(aliyun).rstrip("/").rpartition("/")[2]
    assert is_right_address(aliyun, old)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "the next key", [settings.SECRET_KEY]
    assert is_right_address(aliyun, old)
    changed = update_account(account_id=aliyun.pk, version=None, values={"receipt_number": 2})
    assert not is_right_address(changed, old)


def test_a_vendors_failure_never_gives_a_number_up(aliyun: ProviderAccount) -> None:
    dispatch, row = message(aliyun)
    rows = [
        {"biz_id": "1", "out_id": f"{dispatch.key.hex}.{row.pk}", "success": False, "err_code": code}
        for code in ("REQUEST_SUCCESS", "MOBILE_NOT_ON_SERVICE")
    ]
    path = receipt_address(aliyun).partition("://")[2].partition("/")[2]
    Client().post(f"/{path}", json.dumps(rows), content_type="application/json")
    assert sorted(InboundReceipt.objects.values_list("kind", flat=True)) == ["failed", "sent"]
    match_receipts()
    row.refresh_from_db()
    assert (row.state, row.reason) == (State.FAILED, "rejected")


def test_a_receipt_that_comes_before_our_commit_waits(account: ProviderAccount) -> None:
    dispatch = make_dispatch()
    unborn = Delivery(dispatch_id=dispatch.pk, pk=987654321)
    body = told(dispatch, unborn)
    assert post(account, body, signed(body)) == 200
    assert match_receipts() == 0
    row = make_delivery(dispatch, 1, id=unborn.pk, channel="sms", account_id=account.pk)
    assert match_receipts() == 1
    row.refresh_from_db()
    assert row.state == State.DELIVERED


def test_a_message_is_found_by_the_providers_own_name_for_it(account: ProviderAccount) -> None:
    _dispatch, row = message(account, ref="gw-77")
    body = json.dumps({"type": "message.failed", "data": {"id": "gw-77", "code": "E1"}}).encode()
    assert post(account, body, signed(body)) == 200
    assert match_receipts() == 1
    row.refresh_from_db()
    assert row.state == State.FAILED


def test_a_provider_cannot_speak_about_anothers_messages(
    account: ProviderAccount, aliyun: ProviderAccount
) -> None:
    _dispatch, row = message(aliyun, ref="900002^0")
    for n, data in enumerate(({"id": "900002^0"}, {"key": f"{row.dispatch_id}-{row.pk}"})):
        body = json.dumps({"type": "message.bounced", "data": data}).encode()
        assert post(account, body, signed(body, name=f"evt_{n}")) == 200
    assert match_receipts() == 0
    row.refresh_from_db()
    assert row.state == State.SENT


def test_what_fits_nothing_is_dropped_after_seven_days(account: ProviderAccount) -> None:
    body = json.dumps({"type": "message.delivered", "data": {"id": "unknown"}}).encode()
    post(account, body, signed(body))
    assert (match_receipts(), drop_old_receipts()) == (0, 0)
    InboundReceipt.objects.update(received_at=timezone.now() - timedelta(days=7, minutes=1))
    assert drop_old_receipts() == 1


def test_matching_many_costs_the_same_number_of_queries(
    account: ProviderAccount, django_assert_max_num_queries: Any
) -> None:
    dispatch = make_dispatch()
    rows = [make_delivery(dispatch, 1, channel="sms", account_id=account.pk) for _n in range(60)]
    body = json.dumps([json.loads(told(dispatch, row)) for row in rows]).encode()
    assert post(account, body, signed(body)) == 200
    with django_assert_max_num_queries(30):
        assert match_receipts() == 60
