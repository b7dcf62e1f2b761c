"""Providers that push what customers reply, and customers who were sent something."""

import base64
import hashlib
import hmac
import json
import time
from itertools import count
from typing import Any

from django.test import Client

from notifyhub.customers.models import Customer
from notifyhub.messaging.models import Delivery, InboundMessage, ProviderAccount
from notifyhub.messaging.services.accounts import create_account
from notifyhub.messaging.services.receipts import receipt_address
from notifyhub.messaging.tests.factories import make_delivery, make_dispatch, make_event

SECRET = base64.b64encode(b"a secret of both sides").decode()
_names = count(1)


def gateway(**fields: Any) -> ProviderAccount:
    """Return an account of the signed webhook."""
    values = {"endpoint": "https://gateway.example/send", "secret": f"whsec_{SECRET}"}
    return create_account(
        **{"channel": "sms", "backend": "webhook", "name": "Gateway", "values": values, **fields}
    )


def aliyun(**fields: Any) -> ProviderAccount:
    """Return an account of Alibaba Cloud SMS."""
    values = {
        "access_key_id": "id",
        "access_key_secret": "secret",
        "sign_name": "店",
        "template_code": "SMS_1",
    }
    return create_account(
        **{"channel": "sms", "backend": "aliyun", "name": "Aliyun", "values": values, **fields}
    )


def signed(body: bytes, *, name: str, secret: str = SECRET) -> dict[str, str]:
    """Return the headers of a request, signed by arithmetic of our own."""
    stamp = str(int(time.time()))
    digest = hmac.new(base64.b64decode(secret), f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def push(account: ProviderAccount, sender: str, text: str, *, name: str = "", **data: Any) -> int:
    """Push one reply by the signed webhook; return the status of the answer."""
    body = json.dumps({"type": "message.reply", "data": {"from": sender, "text": text, **data}}).encode()
    return post(account, body, signed(body, name=name or f"in_{next(_names)}"))


def post(account: ProviderAccount, body: bytes, headers: dict[str, str]) -> int:
    """Send a body to the account's address; return the status of the answer."""
    answer = Client().post(f"/hooks/{account.pk}/", body, content_type="application/json", headers=headers)
    return answer.status_code


def push_up(account: ProviderAccount, *rows: dict[str, Any], encoding: str = "utf-8") -> int:
    """Push rows of SmsUp to the account's secret address; return the status of the answer."""
    path = receipt_address(account).split("://", 1)[1]
    body = json.dumps(rows, ensure_ascii=False).encode(encoding)
    where = path[path.index("/") :]
    return Client().post(where, body, content_type="application/json").status_code


def phone_of(customer: Customer) -> str:
    """Return the customer's number."""
    return str(customer.contact_points.get(kind="phone").value)


def sent_to(customer: Customer, account: ProviderAccount, **fields: Any) -> Delivery:
    """Return an SMS that went to the customer through the account; `fields` describe its dispatch."""
    at = fields.pop("settled_at", None)
    fields.setdefault("message_class", "promotional")
    dispatch = make_dispatch(chain=[{"channel": "sms"}], **fields)
    more = {"settled_at": at} if at else {}
    row = make_delivery(
        dispatch,
        customer.pk,
        channel="sms",
        account_id=account.pk,
        contact_id=customer.contact_points.get(kind="phone").pk,
        **more,
    )
    make_event(row, "sent", account_id=account.pk, provider_ref=f"ref-{row.pk}")
    return row


def last_reply() -> InboundMessage:
    """Return the reply that came in last."""
    return InboundMessage.objects.latest("pk")
