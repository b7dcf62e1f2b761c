"""One account of Alibaba Cloud SMS.

SendSms is not idempotent: after a lost answer nobody repeats it, and QuerySendDetails is asked by the number,
the day and our OutId, which is the message's key.
"""

import asyncio
import json
import logging
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy as _

from notifyhub.core.errors import Refused
from notifyhub.messaging.channels.aliyun import codes, reports
from notifyhub.messaging.channels.aliyun.signing import canonical_query, sign
from notifyhub.messaging.channels.aliyun.templates import ANY, read_templates
from notifyhub.messaging.channels.base import (
    Inbound,
    Inquiry,
    Message,
    Reply,
    Report,
    Result,
    SettingField,
)
from notifyhub.messaging.channels.http import HTTP_FIELDS, Answer, CallFailed, HttpBackend

logger = logging.getLogger(__name__)

VERSION = "2017-05-25"
ASKED_AT_ONCE = 8


class AliyunSmsBackend(HttpBackend):
    """Sends SMS by SendSms, one per request; the vendor adds the 【signature】 itself."""

    code = "aliyun"
    label = _("Alibaba Cloud SMS")
    channels = ("sms",)
    adds_signature = True
    wants_params = True
    receipts = "address"
    receipt_answer = {"code": 0, "msg": "OK"}
    looks_up = True
    takes_replies = True
    fields = (
        SettingField(
            name="endpoint",
            label=_("Address of the service"),
            kind="url",
            required=True,
            default="https://dysmsapi.aliyuncs.com",
        ),
        SettingField(name="access_key_id", label=_("AccessKey ID"), required=True),
        SettingField(name="access_key_secret", label=_("AccessKey secret"), secret=True, required=True),
        SettingField(
            name="sign_name",
            label=_("SMS signature"),
            required=True,
            help_text=_(
                "Approved by the vendor, without 【】. Used where no sender identity says otherwise."
            ),
            group="sender",
        ),
        SettingField(
            name="template_code",
            label=_("Pass-through template"),
            help_text=_(
                "Code of a vendor template that consists of one parameter. Messages of templates that are "
                "not listed below go through it as a whole; without it they fail."
            ),
            group="templates",
        ),
        SettingField(name="text_parameter", label=_("Its parameter"), default="content", group="templates"),
        SettingField(
            name="templates",
            label=_("Vendor templates"),
            kind="lines",
            help_text=_(
                "One a line: key of our template, language or *, the vendor's code, its parameters with "
                "our variables. Example: login-code zh-hans SMS_154950909 code=code. The vendor sends the "
                "text it approved, so keep both the same."
            ),
            group="templates",
        ),
        SettingField(
            name="receipt_number",
            label=_("Number of the receipt address"),
            kind="integer",
            default=1,
            help_text=_(
                "The vendor signs no receipts: a secret in their address tells them from forged "
                "ones. Another number makes a new address, and the old one is refused."
            ),
            group="receipts",
        ),
        *HTTP_FIELDS,
    )

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        self._templates = read_templates(str(self.settings["templates"] or ""))
        parts = urlsplit(self.url)
        self._host, self._root = parts.netloc, f"{parts.scheme}://{parts.netloc}/"

    @classmethod
    def check_settings(cls, settings: Mapping[str, Any]) -> None:
        super().check_settings(settings)
        mapped = read_templates(str(settings.get("templates") or ""))
        if not mapped and not settings.get("template_code"):
            raise Refused(
                _("Name a pass-through template or list vendor templates; the vendor sends nothing else."),
                field="template_code",
            )
        if any(sign in str(settings.get("sign_name") or "") for sign in "【】"):
            raise Refused(_("Write the signature without 【】; they are added."), field="sign_name")

    async def send_one(self, message: Message) -> Result:
        filled = self._fill(message)
        if filled is None:
            detail = "No vendor template is configured for this text."
            return Result(kind="permanent", code="no_template", detail=detail)
        template, params = filled
        answer = await self._ask(
            "SendSms",
            {
                "PhoneNumbers": vendor_number(message.to),
                "SignName": message.sender.signature or str(self.settings["sign_name"]),
                "TemplateCode": template,
                "TemplateParam": json.dumps(params, ensure_ascii=False),
                "OutId": message.key,
            },
        )
        return read_answer(answer)

    async def look_up(self, inquiries: Sequence[Inquiry]) -> list[Report | None]:
        gate = asyncio.Semaphore(ASKED_AT_ONCE)

        async def one(inquiry: Inquiry) -> Report | None:
            async with gate:
                try:
                    return await self._look_up(inquiry)
                except CallFailed as failure:
                    logger.warning("Alibaba Cloud could not be asked: %s", failure.detail)
                    return None

        return list(await asyncio.gather(*(one(inquiry) for inquiry in inquiries)))

    def parse_receipts(self, inbound: Inbound) -> list[Report | Reply]:
        return reports.read_receipts(inbound.body)

    def _fill(self, message: Message) -> tuple[str, dict[str, str]] | None:
        """Return the vendor's template and its parameters, None if there is no way to say this text."""
        values = dict(message.params)
        for language in (message.language.lower(), ANY):
            mapped = self._templates.get((message.template, language))
            if mapped is not None:
                return mapped.code, mapped.fill(values)
        code = str(self.settings["template_code"] or "")
        return (code, {str(self.settings["text_parameter"]): message.text}) if code else None

    async def _look_up(self, inquiry: Inquiry) -> Report | None:
        # The day is the vendor's; a message of midnight may stand under either.
        days = {(inquiry.at + timedelta(minutes=shift)).astimezone(reports.CHINA) for shift in (-10, 10)}
        for day in sorted({f"{day:%Y%m%d}" for day in days}):
            params = {
                "PhoneNumber": vendor_number(inquiry.to),
                "SendDate": day,
                "PageSize": "50",
                "CurrentPage": "1",
            }
            if inquiry.provider_ref:
                params["BizId"] = inquiry.provider_ref
            answer = await self._ask("QuerySendDetails", params)
            found = reports.read_details(answer.json(), inquiry)
            if found is not None:
                return found
        return None

    async def _ask(self, action: str, params: Mapping[str, str]) -> Answer:
        query = canonical_query(params)
        headers = sign(
            access_key_id=str(self.settings["access_key_id"]),
            access_key_secret=str(self.settings.get("access_key_secret") or ""),
            host=self._host,
            action=action,
            version=VERSION,
            query=query,
            date=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            nonce=uuid.uuid4().hex,
        )
        return await self.call("POST", f"{self._root}?{query}", headers=headers)


def vendor_number(phone: str) -> str:
    """Return a number as the vendor wants it: 11 digits at home, country code and number abroad."""
    digits = phone.lstrip("+")
    return digits[2:] if phone.startswith("+86") and len(digits) == 13 else digits


def read_answer(answer: Answer) -> Result:
    """Return what the answer to SendSms proves."""
    data = answer.json()
    code = data.get("Code") if isinstance(data, dict) else None
    if not isinstance(code, str) or not code:
        return _without_code(answer)
    detail = str(data.get("Message") or "")
    kind, trouble = codes.kind_of(code)
    known = kind != "transient" or trouble or code == codes.LIMIT
    if not known:
        logger.warning("Alibaba Cloud answered with a code we do not know: %s", code[:60])
        if answer.status >= 500 and answer.status != 503:
            kind = "ambiguous"
    wish = answer.retry_after() if kind == "transient" else None
    if code == codes.LIMIT and wish is None:
        wish = codes.LIMIT_SECONDS
    reference = str(data.get("BizId") or "") if kind == "accepted" else ""
    return Result(
        kind=kind, provider_ref=reference, code=code, detail=detail, retry_after=wish, account_trouble=trouble
    )


def _without_code(answer: Answer) -> Result:
    """Return what an answer proves that is not the service's own: of a proxy, or broken."""
    status = str(answer.status)
    if 300 <= answer.status < 400:
        return Result(kind="permanent", code=status, detail="The service redirects, which is not followed.")
    if answer.status in (429, 503) or 400 <= answer.status < 500:
        return Result(
            kind="transient",
            code=status,
            detail=answer.text,
            retry_after=answer.retry_after(),
            account_trouble=True,
        )
    return Result(kind="ambiguous", code=status, detail=answer.text or "The answer is empty.")
