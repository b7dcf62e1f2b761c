"""What customers reply: verified, stored once, matched with who wrote and what they answer."""

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from notifyhub.customers.services.merging import merge_customers
from notifyhub.customers.services.timeline import timeline_page
from notifyhub.customers.tests.factories import make_customer
from notifyhub.messaging.models import InboundMessage, InboundReceipt
from notifyhub.messaging.personal_data import erase_replies, export_replies
from notifyhub.messaging.services.replies import drop_old_replies, take_replies
from notifyhub.messaging.tests.kit.replies import (
    aliyun,
    gateway,
    last_reply,
    phone_of,
    post,
    push,
    push_up,
    sent_to,
    signed,
)
from notifyhub.messaging.tests.kit.sending import drain, memory_account
from notifyhub.staff.services.api_keys import create_api_key
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_a_signed_reply_is_stored_and_finds_its_customer_and_what_they_answer() -> None:
    account, customer = gateway(), make_customer()
    row = sent_to(customer, account)
    assert push(account, phone_of(customer), "Where is it?") == 200
    reply = last_reply()
    assert reply.handled_at is None
    assert take_replies() == 1
    reply.refresh_from_db()
    assert (reply.customer_id, reply.answers, reply.text) == (customer.pk, row.reference, "Where is it?")
    assert reply.handled_at is not None
    assert reply.masked.startswith("138****")
    with connection.cursor() as cursor:
        cursor.execute("SELECT contact, text FROM messaging_inboundmessage")
        contact, text = cursor.fetchone()
    assert phone_of(customer).encode() not in bytes(contact)
    assert b"Where" not in bytes(text)


def test_an_upstream_push_of_alibaba_cloud_comes_in_beside_its_receipts() -> None:
    account, customer = aliyun(), make_customer()
    sent_to(customer, account)
    up = {
        "phone_number": phone_of(customer).removeprefix("+86"),
        "send_time": timezone.localtime().strftime("%Y-%m-%d %H:%M:%S"),
        "content": "什么时候到？",
        "sign_name": "店",
        "dest_code": "8820",
        "sequence_id": 1234567890,
    }
    report = {"biz_id": "ref-1", "out_id": "", "success": True, "err_code": "DELIVERED"}
    for _time in range(3):
        assert push_up(account, up, report) == 200
    assert InboundMessage.objects.count() == 1
    assert InboundReceipt.objects.count() == 1
    assert (take_replies(), take_replies()) == (1, 0)
    assert (last_reply().text, last_reply().customer_id) == ("什么时候到？", customer.pk)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_both_spellings_of_chinese_are_read(encoding: str) -> None:
    account = aliyun()
    up = {"phone_number": "13800005555", "content": "退订，谢谢𠮷", "sequence_id": 1}
    assert push_up(account, up, encoding=encoding) == 200
    assert last_reply().text == "退订，谢谢𠮷"


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe\x00",
        b"null",
        b'{"type": "message.reply"}',
        b'{"type": "message.reply", "data": []}',
        b'{"type": "message.reply", "data": {"text": "hi"}}',
        b'{"type": "message.reply", "data": {"from": "", "text": "hi"}}',
        b'{"type": "message.reply", "data": {"from": 138, "text": "hi"}}',
        b'{"type": "message.reply", "data": {"from": "13800001111", "text": {}}}',
        b'[{"type": "message.reply", "data": {"from": "13800001111", "text": "R"}}, 1]',
        b"[" * 100_000,
    ],
)
def test_a_body_of_another_shape_is_turned_away_as_a_whole(body: bytes) -> None:
    account = gateway()
    assert post(account, body, signed(body, name="in_x")) == 400
    assert not InboundMessage.objects.exists()


@pytest.mark.parametrize("rows", [[{"content": "R"}], [{"content": "R", "phone_number": ""}], [1], {}])
def test_so_is_an_upstream_push_without_a_number(rows: Any) -> None:
    account = aliyun()
    if (isinstance(rows, list) and isinstance(rows[0], dict)) or isinstance(rows, list):
        assert push_up(account, *rows) == 400
    assert not InboundMessage.objects.exists()


def test_what_is_not_signed_right_is_not_stored() -> None:
    account = gateway()
    body = json.dumps({"type": "message.reply", "data": {"from": "13800001111", "text": "R"}}).encode()
    assert post(account, body, {}) == 401
    assert post(account, body, {**signed(body, name="a"), "webhook-id": "b"}) == 401
    assert post(account, body + b" ", signed(body, name="a")) == 401
    where = f"/hooks/{aliyun().pk}/{'0' * 32}/"
    assert (
        Client().post(where, b'[{"content": "R", "phone_number": "13800001111"}]', "json").status_code == 401
    )
    assert not InboundMessage.objects.exists()


@pytest.mark.parametrize("text", ["", "\x00", "\ud800 half", "x" * 9000, "👩‍👩‍👧", "' OR 1=1 --"])
def test_any_text_is_taken(text: str) -> None:
    account = gateway()
    assert push(account, "13800001111", text) == 200
    assert take_replies() == 1
    assert len(str(last_reply().text)) <= 4000


@pytest.mark.parametrize(
    "sender", ["10086", "12", "not a number", "x" * 500, "+44 20 7946 0958", "\x00", "１３８０００５５５５"]
)
def test_any_sender_is_taken_and_none_is_shown_whole(sender: str) -> None:
    account = gateway()
    assert push(account, sender, "Hello") == 200
    take_replies()
    for reply in InboundMessage.objects.all():
        assert reply.customer_id is None
        assert sender.strip() not in reply.masked


def test_a_reply_that_is_pushed_again_counts_once_also_when_both_come_at_the_same_moment(
    transactional_db: None,
) -> None:
    account, customer = gateway(), make_customer()
    number = phone_of(customer)
    answers: list[int] = []

    def go() -> None:
        answers.append(push(account, number, "R", name="in_same"))
        take_replies()
        connection.close()

    threads = [threading.Thread(target=go) for _n in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    take_replies()
    assert answers == [200] * 6
    assert InboundMessage.objects.count() == 1
    assert last_reply().handled_at is not None


def test_the_message_that_the_provider_names_is_the_one_answered() -> None:
    account, customer, other = gateway(), make_customer(), make_customer()
    first, _second = sent_to(customer, account), sent_to(customer, account)
    foreign = sent_to(other, account)
    push(account, phone_of(customer), "One", id=f"ref-{first.pk}")
    push(account, phone_of(customer), "Two", key=first.reference)
    # Nobody speaks for a message that went to somebody else.
    push(account, phone_of(customer), "Three", id=f"ref-{foreign.pk}")
    take_replies()
    answered = list(InboundMessage.objects.order_by("pk").values_list("delivery_id", flat=True))
    assert answered == [first.pk, first.pk, _second.pk]


def test_otherwise_it_is_the_last_of_three_days_rather_one_of_the_same_account() -> None:
    account, another, customer = gateway(), gateway(name="Other"), make_customer()
    old = sent_to(customer, account, settled_at=timezone.now() - timedelta(hours=73))
    push(account, phone_of(customer), "One")
    take_replies()
    assert last_reply().answers == ""
    assert last_reply().customer_id == customer.pk
    ours = sent_to(customer, account, settled_at=timezone.now() - timedelta(hours=71))
    sent_to(customer, another)
    push(account, phone_of(customer), "Two")
    take_replies()
    assert last_reply().answers == ours.reference != old.reference


def test_a_number_of_two_customers_belongs_to_whom_we_wrote() -> None:
    account = gateway()
    one, two = make_customer(phone="13800007777"), make_customer(phone="13800007777")
    push(account, "13800007777", "Who?")
    take_replies()
    assert last_reply().customer_id is None
    sent_to(two, account)
    push(account, "13800007777", "Me")
    take_replies()
    assert last_reply().customer_id == two.pk != one.pk


def test_the_timeline_and_the_message_show_it_also_after_a_merge(client: Client) -> None:
    account, customer, kept = gateway(), make_customer(), make_customer()
    row = sent_to(customer, account)
    push(account, phone_of(customer), "Is it still valid?")
    take_replies()
    client.force_login(make_user("agent"))
    page = client.get(reverse("admin:messaging_delivery_page", args=[row.reference]))
    assert "Is it still valid?" in page.content.decode()
    merge_customers(kept_id=kept.pk, merged_id=customer.pk)
    request: Any = page.wsgi_request
    entries = timeline_page(customer_id=kept.pk, request=request).entries
    assert any("Is it still valid?" in str(entry.title) for entry in entries)
    client.force_login(make_user("department_member"))
    request = client.get(reverse("admin:index")).wsgi_request
    entries = timeline_page(customer_id=kept.pk, request=request).entries
    assert not any("valid" in str(entry.title) for entry in entries)


def test_the_message_page_asks_equally_often_for_any_number_of_replies(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    account, customer = gateway(), make_customer()
    row = sent_to(customer, account)
    client.force_login(make_user("administrator"))
    where = reverse("admin:messaging_delivery_page", args=[row.reference])
    client.get(where)
    counts = []
    for _turn in range(2):
        for n in range(5):
            push(account, phone_of(customer), f"Text {n}")
        take_replies()
        with django_assert_max_num_queries(60) as found:
            client.get(where)
        counts.append(len(found))
    assert counts[0] == counts[1]


def test_the_customer_gets_a_copy_and_can_be_forgotten() -> None:
    account, customer = gateway(), make_customer()
    push(account, phone_of(customer), "I live in Xuhui")
    take_replies()
    (copy,) = export_replies(customer.pk)
    assert (copy["text"], copy["from"]) == ("I live in Xuhui", phone_of(customer))
    assert erase_replies(customer.pk) == 1
    reply = last_reply()
    assert (reply.text, reply.contact, reply.contact_hash, reply.masked) == (None, None, None, "")


def test_old_replies_go(settings: Any) -> None:
    account = gateway()
    push(account, "13800001111", "Old")
    push(account, "13800001111", "New")
    InboundMessage.objects.filter(pk=InboundMessage.objects.earliest("pk").pk).update(
        received_at=timezone.now() - timedelta(days=181)
    )
    settings.KEEP_DAYS = {**settings.KEEP_DAYS, "replies": 0}
    assert drop_old_replies() == 0
    settings.KEEP_DAYS = {**settings.KEEP_DAYS, "replies": 180}
    assert drop_old_replies() == 1
    assert last_reply().text == "New"


def test_who_asked_for_a_message_reads_in_the_api_what_was_replied() -> None:
    memory_account("sms")
    account, token = (
        gateway(active=False),
        create_api_key(name="o", scopes=["messages:send", "messages:read"])[1],
    )
    headers = {"Authorization": f"Bearer {token}"}
    body = {
        "text": {"body": "Your table is booked for seven"},
        "channels": [{"channel": "sms"}],
        "recipients": [{"phone": "13800004321"}, {"phone": "13800004322"}],
    }
    accepted = Client().post("/api/v1/messages", body, content_type="application/json", headers=headers)
    drain()
    for text in ("Make it eight", "R"):
        push(account, "13800004321", text)
    take_replies()
    told = Client().get(f"/api/v1/messages/{accepted.json()['id']}", headers=headers).json()["messages"]
    assert [[(one["text"], one["meaning"]) for one in row["replies"]] for row in told] == [
        [("Make it eight", "text"), ("R", "stop")],
        [],
    ]
    assert b"replies" in Client().get("/api/v1/schema/").content
