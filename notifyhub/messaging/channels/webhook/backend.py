"""Messages as signed JSON to a gateway of one's own, for any channel; receipts return signed the same way.

The contract with the other side, told in docs/howto/webhook-provider.md to those who build it:

* `webhook-id` is the same on every try of a message: who has it already answers 2xx and sends nothing.
* 2xx: taken; the body may be {"id": …}, the name under which receipts will come. A body {"error": …} takes
  that back.
* 408, 425, 429, 503: not taken, try again after Retry-After. 401, 403, 404, 405, 407, 410: the address or the
  secret is wrong, nothing would be taken. Other 4xx: this message will never be taken.
* 409, other 5xx, no answer, or a body that should be JSON and is not: nobody knows. A 500 may come after the
  message went on, so only who documents otherwise may call it a refusal.
"""

import base64
import json
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from notifyhub.messaging.channels.base import (
    Inbound,
    Message,
    Reply,
    Report,
    Result,
    SettingField,
)
from notifyhub.messaging.channels.http import HTTP_FIELDS, Answer, HttpBackend
from notifyhub.messaging.channels.webhook.reports import read_receipts
from notifyhub.messaging.channels.webhook.signing import is_signed, sign

AGAIN = frozenset((408, 425, 429, 503))
MISDIRECTED = frozenset((401, 403, 404, 405, 407, 410))


class WebhookBackend(HttpBackend):
    """Posts each message to one address."""

    code = "webhook"
    label = _("Signed webhook")
    channels = ("*",)
    receipts = "signed"
    wants_params = True
    takes_replies = True
    fields = (
        SettingField(name="endpoint", label=_("Address"), kind="url", required=True),
        SettingField(
            name="secret",
            label=_("Signing secret"),
            secret=True,
            required=True,
            help_text=_(
                "whsec_… or any text. Two whsec_…, parted by a blank, are both used while one is replaced."
            ),
            group="security",
        ),
        SettingField(
            name="receipt_secret",
            label=_("Secret of the receipts"),
            secret=True,
            help_text=_("With which the other side signs its receipts; empty for the signing secret."),
            group="receipts",
        ),
        *HTTP_FIELDS,
    )

    async def send_one(self, message: Message) -> Result:
        now = datetime.now(UTC)
        body = json.dumps(
            {"type": "message.send", "timestamp": now.isoformat(), "data": describe(message)},
            ensure_ascii=False,
        ).encode()
        headers = sign(str(self.settings.get("secret") or ""), name=message.key, now=now, body=body)
        answer = await self.call(
            "POST", self.url, headers={**headers, "content-type": "application/json"}, body=body
        )
        return read_answer(answer)

    def verify(self, inbound: Inbound) -> bool:
        secret = str(self.settings.get("receipt_secret") or self.settings.get("secret") or "")
        return bool(secret) and is_signed(secret, inbound.headers, inbound.body, now=inbound.now)

    def parse_receipts(self, inbound: Inbound) -> list[Report | Reply]:
        return read_receipts(inbound.headers, inbound.body)


def describe(message: Message) -> dict[str, Any]:
    """Return the message as the other side gets it."""
    sender = message.sender
    return {
        "key": message.key,
        "reference": message.reference,
        "channel": message.channel,
        "to": message.to,
        "to_name": message.to_name,
        "language": message.language,
        "subject": message.subject,
        "text": message.text,
        "html": message.html,
        "from": {"name": sender.name, "email": sender.email, "reply_to": sender.reply_to},
        "headers": dict(message.headers),
        "template": message.template,
        "params": dict(message.params),
        "attachments": [
            {
                "name": one.name,
                "content_type": one.content_type,
                "content": base64.b64encode(one.content).decode(),
            }
            for one in message.attachments
        ],
    }


def read_answer(answer: Answer) -> Result:
    """Return what the other side's answer proves."""
    status, code = answer.status, str(answer.status)
    if 200 <= status < 300:
        return _read_taken(answer)
    if 300 <= status < 400:
        return Result(kind="permanent", code=code, detail="The address redirects, which is not followed.")
    if status in AGAIN:
        return Result(
            kind="transient",
            code=code,
            detail=answer.text,
            retry_after=answer.retry_after(),
            account_trouble=status in (429, 503),
        )
    if status in MISDIRECTED:
        return Result(kind="transient", code=code, detail=answer.text, account_trouble=True)
    if 400 <= status < 500 and status != 409:
        return Result(kind="permanent", code=code, detail=answer.text)
    return Result(kind="ambiguous", code=code, detail=answer.text)


def _read_taken(answer: Answer) -> Result:
    code = str(answer.status)
    data = answer.json()
    says_json = "json" in answer.headers.get("content-type", "").lower()
    if data is None and says_json and answer.body.strip():
        return Result(kind="ambiguous", code="malformed", detail=answer.text)
    if not isinstance(data, dict):
        return Result(kind="accepted", code=code)
    if data.get("error"):
        # A refusal in friendly clothes; it is one, but whether for good nobody said.
        return Result(kind="transient", code="error", detail=str(data["error"])[:200])
    name = data.get("id")
    reference = str(name)[:120] if isinstance(name, str | int) else ""
    return Result(kind="accepted", code=code, provider_ref=reference, delivered=data.get("delivered") is True)
