"""Alibaba Cloud SMS: its signature, its templates, its codes, its reports."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from notifyhub.core.errors import Refused
from notifyhub.messaging.channels.aliyun import AliyunSmsBackend
from notifyhub.messaging.channels.aliyun.backend import read_answer, vendor_number
from notifyhub.messaging.channels.aliyun.reports import read_details, read_receipts
from notifyhub.messaging.channels.aliyun.signing import canonical_query, sign
from notifyhub.messaging.channels.aliyun.templates import read_templates
from notifyhub.messaging.channels.base import Inquiry, Message, Report, Sender, Unreadable
from notifyhub.messaging.channels.http import Answer
from notifyhub.messaging.models import Delivery, MessageCopy, SenderIdentity
from notifyhub.messaging.services.accounts import create_account
from notifyhub.messaging.services.copies import unpack_and_show
from notifyhub.messaging.tests.factories import make_version
from notifyhub.messaging.tests.kit.contract import send
from notifyhub.messaging.tests.kit.processes import http_sink
from notifyhub.messaging.tests.kit.sending import dispatch_to, drain, make_recipients, states

SETTINGS: dict[str, Any] = {
    "access_key_id": "id",
    "access_key_secret": "sink",
    "sign_name": "外卖",
    "template_code": "SMS_100",
}


# The example of help.aliyun.com's page on the signature, as it was published at two times.
@pytest.mark.parametrize(
    ("date", "nonce", "signature"),
    [
        (
            "2023-10-26T10:22:32Z",
            "3156853299f313e23d1673dc12e1703d",
            "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
        ),
        (
            "2023-10-26T09:01:01Z",
            "d410180a5abf7fe235dd9b74aca91fc0",
            "e521358f7776c97df52e6b2891a8bc73026794a071b50c3323388c4e0df64804",
        ),
    ],
)
def test_it_signs_as_the_vendors_documentation_does(date: str, nonce: str, signature: str) -> None:
    headers = sign(
        access_key_id="YourAccessKeyId",
        access_key_secret="YourAccessKeySecret",
        host="ecs.cn-shanghai.aliyuncs.com",
        action="RunInstances",
        version="2014-05-26",
        query=canonical_query(
            {"RegionId": "cn-shanghai", "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"}
        ),
        date=date,
        nonce=nonce,
    )
    assert headers["Authorization"] == (
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;"
        f"x-acs-date;x-acs-signature-nonce;x-acs-version,Signature={signature}"
    )


def test_parameters_are_encoded_the_vendors_way() -> None:
    assert canonical_query({"b": "a b*~/", "a": "中+&="}) == "a=%E4%B8%AD%2B%26%3D&b=a%20b%2A~%2F"


@pytest.mark.parametrize(
    ("phone", "theirs"),
    [("+8613912345678", "13912345678"), ("+85261234567", "85261234567"), ("13912345678", "13912345678")],
)
def test_numbers_are_written_the_vendors_way(phone: str, theirs: str) -> None:
    assert vendor_number(phone) == theirs


@pytest.mark.parametrize(
    ("status", "body", "kind", "trouble", "wait"),
    [
        (200, {"Code": "OK", "BizId": "9^0"}, "accepted", False, None),
        (200, {"Code": "isv.MOBILE_NUMBER_ILLEGAL"}, "permanent", False, None),
        (200, {"Code": "isv.BUSINESS_LIMIT_CONTROL"}, "transient", False, 60.0),
        (200, {"Code": "isv.AMOUNT_NOT_ENOUGH"}, "transient", True, None),
        (200, {"Code": "isv.NEVER_HEARD_OF"}, "transient", False, None),
        (400, {"Code": "Throttling.User"}, "transient", True, None),
        (403, {"Code": "SignatureDoesNotMatch"}, "transient", True, None),
        (503, {"Code": "ServiceUnavailable"}, "transient", True, None),
        (500, {"Code": "InternalError"}, "ambiguous", False, None),
        (502, {"Code": "NeverHeardOf"}, "ambiguous", False, None),
        (200, None, "ambiguous", False, None),
        (200, {"Code": 7}, "ambiguous", False, None),
        (200, ["OK"], "ambiguous", False, None),
        (500, None, "ambiguous", False, None),
        (403, None, "transient", True, None),
        (503, None, "transient", True, None),
        (302, None, "permanent", False, None),
    ],
)
def test_each_answer_means_what_the_vendor_says(
    status: int, body: Any, kind: str, trouble: bool, wait: float | None
) -> None:
    raw = b"<html>" if body is None else json.dumps(body).encode()
    found = read_answer(Answer(status=status, body=raw))
    assert (found.kind, found.account_trouble, found.retry_after) == (kind, trouble, wait)
    assert (found.provider_ref == "9^0") == (kind == "accepted")


def test_a_wish_to_wait_is_heeded() -> None:
    answer = Answer(status=429, headers={"retry-after": "120"}, body=b'{"Code": "Throttling"}')
    assert read_answer(answer).retry_after == 120.0


@pytest.mark.parametrize(
    "line", ["login", "login zh-hans", "login zh-hans SMS 1", "login zh-hans SMS_1 =x", "a b c d=e f"]
)
def test_a_line_that_cannot_be_read_is_named(line: str) -> None:
    with pytest.raises(Refused, match="cannot be read"):
        read_templates(line)


def test_lines_name_the_vendors_template_and_its_parameters() -> None:
    found = read_templates("login-code zh-hans SMS_1 code=code name=customer.name\n\nsale * SMS_2")
    assert found["login-code", "zh-hans"].fill({"code": "4711"}) == {"code": "4711", "name": ""}
    assert found["sale", "*"].code == "SMS_2"


@pytest.mark.parametrize(
    "change",
    [
        {"template_code": ""},
        {"sign_name": "【外卖】"},
        {"templates": "nonsense"},
        {"endpoint": "ftp://a.example"},
        {"endpoint": "http://user:pass@a.example"},
        {"endpoint": "http://a.example:99999"},
        {"endpoint": "https://a b.example"},
        {"connections": "0"},
        {"timeout": "100000"},
    ],
)
@pytest.mark.django_db
def test_settings_that_cannot_work_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(Refused):
        create_account(channel="sms", backend="aliyun", name="A", values={**SETTINGS, **change})


def read(log: Path) -> list[str]:
    return log.read_text().splitlines()


def inquiry(to: str = "+8613900001111") -> Inquiry:
    return Inquiry(reference="1-2", key="k.2", to=to, at=datetime(2026, 11, 22, tzinfo=UTC))


ROW = {"OutId": "k.2", "SendStatus": 3, "ErrCode": "DELIVERED", "ReceiveDate": "2026-11-22 09:00:00"}


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([ROW], "delivered"),
        ([{**ROW, "SendStatus": 1}], "sent"),
        ([{**ROW, "SendStatus": 2, "ErrCode": "MOBILE_SEND_LIMIT"}], "failed"),
        ([{**ROW, "SendStatus": 2, "ErrCode": "REQUEST_SUCCESS"}], "sent"),
        ([{**ROW, "SendStatus": "2", "ErrCode": "X"}, ROW], "delivered"),
        ([{**ROW, "SendStatus": None}], "sent"),
        ([{**ROW, "OutId": "somebody.3"}], None),
        ([], None),
        (["odd"], None),
    ],
)
def test_the_vendors_records_are_read(rows: Any, kind: str | None) -> None:
    data = {"Code": "OK", "SmsSendDetailDTOs": {"SmsSendDetailDTO": rows}}
    found = read_details(data, inquiry())
    assert (found and found.kind) == kind


@pytest.mark.parametrize("data", [None, [], {"Code": "isv.X"}, {"Code": "OK", "SmsSendDetailDTOs": []}])
def test_a_record_that_is_none_tells_nothing(data: Any) -> None:
    assert read_details(data, inquiry()) is None


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'[{"success": true}]', b"\xff"])
def test_a_push_of_another_shape_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_receipts(body)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    with http_sink(tmp_path) as (port, log):
        yield f"http://127.0.0.1:{port}", log


@pytest.mark.processes
def test_the_vendor_is_asked_what_became_of_a_message(served: tuple[str, Path]) -> None:
    backend = AliyunSmsBackend({**SETTINGS, "endpoint": served[0]})
    numbers = ("+8613800000002", "+8613900001119")
    for n, number in enumerate(numbers):
        send(backend, [Message(reference=f"1-{n}", key=f"k.{n}", channel="sms", to=number, text="好")])

    async def ask() -> list[Report | None]:
        at = datetime.now(UTC)
        try:
            return await backend.look_up(
                [
                    Inquiry(reference=f"1-{n}", key=f"k.{n}", to=number, at=at)
                    for n, number in enumerate((*numbers, "+8613900002222"))
                ]
            )
        finally:
            await backend.close()

    found = asyncio.run(ask())
    assert [one and one.kind for one in found] == ["delivered", "failed", None]


@pytest.mark.processes
@pytest.mark.parametrize("change", [{"access_key_secret": "wrong"}, {"endpoint": "http://127.0.0.1:9"}])
def test_a_vendor_that_cannot_be_asked_tells_nothing(
    served: tuple[str, Path], change: dict[str, str]
) -> None:
    backend = AliyunSmsBackend({**SETTINGS, "endpoint": served[0], **change})

    async def ask() -> list[Report | None]:
        try:
            return await backend.look_up([inquiry(), inquiry()])
        finally:
            await backend.close()

    assert asyncio.run(ask()) == [None, None]


@pytest.mark.processes
@pytest.mark.django_db
def test_the_studios_template_becomes_the_vendors(served: tuple[str, Path], settings: Any) -> None:
    settings.ALLOW_RECIPIENTS = ["*"]
    version = make_version(("sms", "zh-hans"), key="autumn-sale")
    create_account(
        channel="sms",
        backend="aliyun",
        name="Aliyun",
        values={**SETTINGS, "endpoint": served[0], "templates": "autumn-sale * SMS_77 who=customer.name"},
    )
    SenderIdentity.objects.create(name="Food", channel="sms", signature="美味")
    topic = version.template.topic
    make_recipients(None, topic=topic, name="小李", phone="+8613900001111")
    chain = [{"channel": "sms"}]
    dispatch = dispatch_to(template_version=version, text=None, chain=chain, topic=topic)
    drain()
    assert states(dispatch) == {"sent": 1}
    row = Delivery.objects.get(dispatch_id=dispatch.pk)
    assert read(served[1]) == [f"13900001111 {dispatch.key.hex}.{row.pk}"]
    # The vendor adds the signature; the copy shows what arrives.
    shown = unpack_and_show(dispatch, row)
    assert shown is not None
    assert shown.text.startswith("【美味】小李")
    assert MessageCopy.objects.filter(dispatch_id=dispatch.pk).count() == 1


def test_the_vendor_gets_its_template_or_the_whole_text() -> None:
    backend = AliyunSmsBackend({**SETTINGS, "templates": "code zh-hans SMS_5 code=code"})
    facts: dict[str, Any] = {
        "reference": "1-2",
        "key": "k.2",
        "channel": "sms",
        "to": "+8613900001111",
        "text": "验证码 4711",
        "params": (("code", "4711"),),
        "sender": Sender(signature="美味"),
    }
    named = Message(**facts, template="code", language="zh-hans")
    other = Message(**facts, template="code", language="en")
    assert backend._fill(named) == ("SMS_5", {"code": "4711"})
    assert backend._fill(other) == ("SMS_100", {"content": "验证码 4711"})
    backend.settings["template_code"] = ""
    assert send(backend, [other])[0].kind == "permanent"
