"""What the other side sends us: reports about its messages, and what customers replied."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from notifyhub.messaging.channels.base import Reply, Report, Unreadable
from notifyhub.messaging.channels.bodies import read_json

PREFIX = "message."
REPLY = "message.reply"


def read_receipts(headers: Mapping[str, str], body: bytes) -> list[Report | Reply]:
    """Return the reports and replies of a request, one object or a list of them; raise Unreadable."""
    data = read_json(body)
    rows = data if isinstance(data, list) else [data]
    name = headers.get("webhook-id", "")[:100]
    return [_read_one(row, f"{name}.{n}" if len(rows) > 1 else name) for n, row in enumerate(rows)]


def _read_one(row: Any, event_id: str) -> Report | Reply:
    told = row.get("data") if isinstance(row, dict) else None
    if not isinstance(told, dict) or not isinstance(row.get("type"), str):
        raise Unreadable("A receipt is {type, timestamp, data}.")
    moment = _moment(row.get("timestamp"))
    reference, provider_ref = str(told.get("key") or ""), str(told.get("id") or "")
    if row["type"] == REPLY:
        sender, text = told.get("from"), told.get("text")
        if not isinstance(sender, str) or not sender.strip() or not isinstance(text, str):
            raise Unreadable("A reply says from whom it is and its text, both as text.")
        return Reply(
            event_id=event_id,
            sender=sender,
            text=text,
            at=moment,
            reference=reference,
            provider_ref=provider_ref,
        )
    if not reference and not provider_ref:
        raise Unreadable("A receipt names its message by key or id.")
    return Report(
        kind=row["type"].removeprefix(PREFIX),
        event_id=event_id,
        reference=reference,
        provider_ref=provider_ref,
        at=moment,
        code=str(told.get("code") or ""),
        detail=str(told.get("detail") or ""),
    )


def _moment(value: Any) -> datetime | None:
    try:
        moment = parse_datetime(str(value or ""))
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo else None
