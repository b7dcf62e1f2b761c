"""What Alibaba Cloud tells afterwards: SmsReport and SmsUp pushes, and the rows of QuerySendDetails.

SmsUp (what a customer replied) may be pushed to the same address; its rows have `content`, which the others
have not: https://help.aliyun.com/document_detail/101508.html

No code of theirs says that a number does not exist: MOBILE_NOT_ON_SERVICE is also a phone that is switched
off. So a failure here is never `bounced`, and no number is given up for it.
"""

import hashlib
import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from notifyhub.messaging.channels.aliyun.codes import UNTOLD
from notifyhub.messaging.channels.base import Inquiry, Reply, Report, Unreadable
from notifyhub.messaging.channels.bodies import read_json

CHINA = ZoneInfo("Asia/Shanghai")
WAITING, FAILED, ARRIVED = 1, 2, 3


def read_receipts(body: bytes) -> list[Report | Reply]:
    """Return the reports and replies of one push, a JSON list; raise Unreadable."""
    rows = read_json(body)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unreadable("A list of reports is expected.")
    return [_read_reply(row) if "content" in row else _read_row(row) for row in rows]


def _read_reply(row: dict[str, Any]) -> Reply:
    """Return a row of SmsUp; which message is answered it does not say."""
    names = ("phone_number", "send_time", "content", "dest_code", "sequence_id")
    told = {name: "" if row.get(name) is None else str(row[name]) for name in names}
    if not told["phone_number"].strip():
        raise Unreadable("A reply names no number.")
    name = told["sequence_id"][:60] or hashlib.sha256(json.dumps(told).encode()).hexdigest()[:40]
    return Reply(
        event_id=f"up.{name}",
        sender=told["phone_number"],
        text=told["content"],
        at=_moment(told["send_time"]),
    )


def _read_row(row: dict[str, Any]) -> Report:
    names = ("biz_id", "out_id", "phone_number", "err_code", "report_time")
    told = {name: str(row.get(name) or "") for name in names}
    if not told["biz_id"] and not told["out_id"]:
        raise Unreadable("A report names no message.")
    arrived = str(row.get("success")).lower() == "true"
    kind = "delivered" if arrived else "sent" if told["err_code"] in UNTOLD else "failed"
    return Report(
        kind=kind,
        # They repeat a push that was not answered in time, and number nothing.
        event_id=hashlib.sha256(json.dumps(told).encode()).hexdigest()[:40],
        reference=told["out_id"],
        provider_ref=told["biz_id"],
        at=_moment(told["report_time"]),
        code=told["err_code"],
        detail=str(row.get("err_msg") or ""),
    )


def read_details(data: Any, inquiry: Inquiry) -> Report | None:
    """Return what the answer to QuerySendDetails says about this message, None if it is not in it."""
    if not isinstance(data, dict) or data.get("Code") != "OK":
        return None
    holder = data.get("SmsSendDetailDTOs")
    rows = holder.get("SmsSendDetailDTO") if isinstance(holder, dict) else None
    ours = [row for row in rows or () if isinstance(row, dict) and str(row.get("OutId") or "") == inquiry.key]
    # A message of class `assure` may stand there twice; the copy that came furthest tells most.
    ranks = {WAITING: 0, FAILED: 1, ARRIVED: 2}
    best = max(ours, key=lambda row: ranks.get(_number(row.get("SendStatus")), -1), default=None)
    if best is None:
        return None
    status, code = _number(best.get("SendStatus")), str(best.get("ErrCode") or "")
    kind = "delivered" if status == ARRIVED else "failed" if status == FAILED else "sent"
    if kind == "failed" and code in UNTOLD:
        kind = "sent"
    return Report(
        kind=kind,
        reference=inquiry.key,
        provider_ref=inquiry.provider_ref,
        at=_moment(str(best.get("ReceiveDate") or "")),
        code=code,
    )


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def _moment(text: str) -> datetime | None:
    """Return a time as the vendor writes it, by the clock of China; None if it is none."""
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA)
    except ValueError:
        return None
