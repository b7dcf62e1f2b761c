"""One message of Segment's as what we take: an event, a customer, ids that are one person."""

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.segment_api.bodies import MAX_MESSAGE
from notifyhub.customers.segment_api.traits import row_of
from notifyhub.customers.services.events.names import Names
from notifyhub.customers.services.events.shapes import EventIn
from notifyhub.customers.services.events.telling import IDENTIFIED, Told
from notifyhub.customers.services.upsert import CustomerRow

TYPES = ("identify", "track", "page", "screen", "group", "alias")
# Below this the difference of two clocks is the way through the network.
SAME_CLOCK = timedelta(seconds=2)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What all messages of one request share."""

    names: Names
    source: str
    received_at: datetime
    sent_at: datetime | None = None

    def moment(self, said: datetime) -> datetime:
        """Return a client's time by our clock: received - (sent - said), as Segment corrects it."""
        if self.sent_at is None or abs(self.received_at - self.sent_at) < SAME_CLOCK:
            return said
        try:
            return self.received_at - (self.sent_at - said)
        except OverflowError as error:
            raise Refused(_("Write a time like 2026-11-20T14:32:08+08:00."), field="timestamp") from error


@dataclass(kw_only=True)
class Read:
    """What one message says, and what in it could not be used (field, reason) though the rest counts."""

    told: Told
    problems: list[tuple[str, str]] = field(default_factory=list)


def read_time(value: Any) -> datetime | None:
    """Return a time in any of the notations clients use (ISO 8601, epoch milliseconds), None for none."""
    if value in (None, ""):
        return None
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, tz=UTC)
        found = parse_datetime(str(value))
    except (ValueError, OverflowError, OSError):
        found = None
    if found is None:
        raise Refused(_("Write a time like 2026-11-20T14:32:08+08:00."), field="timestamp")
    return found if timezone.is_aware(found) else found.replace(tzinfo=UTC)


def read_message(message: Any, *, place: int, request: Request, kind: str = "") -> Read:
    """Return what `message` says; raise Refused, naming the field, if it cannot be taken at all."""
    if not isinstance(message, dict):
        raise Refused(_("A message is a JSON object."), field="batch")
    if len(json.dumps(message, ensure_ascii=False).encode(errors="replace")) > MAX_MESSAGE:
        raise Refused(_("A message has at most %d KB.") % (MAX_MESSAGE >> 10), field="batch")
    kind = kind or str(message.get("type") or "")
    reader = _READERS.get(kind)
    if reader is None:
        raise Refused(_("The type is one of: %s.") % ", ".join(TYPES), field="type")
    said = read_time(message.get("timestamp") or message.get("originalTimestamp"))
    base = {
        "message_id": message_id_of(message),
        "occurred_at": request.moment(said) if said else request.received_at,
        "external_id": _id(message, "userId", 64),
        "anonymous_id": _id(message, "anonymousId", 255),
        "source": request.source,
    }
    return reader(message, base, place, request)


def message_id_of(message: Mapping[str, Any]) -> str:
    """Return the id by which a message is taken once; one of its content if the client gave none."""
    given = message.get("messageId")
    if isinstance(given, str | int) and str(given):
        text = str(given)
        if len(text) <= 120 and text.isprintable():
            return text
    elif not message.get("timestamp"):
        return f"nh:{uuid.uuid4().hex}"
    else:
        text = json.dumps(message, sort_keys=True, default=str)
    return f"seg:{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:40]}"


def _id(message: Mapping[str, Any], name: str, limit: int) -> str:
    value = message.get(name)
    if value in (None, ""):
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Refused(_("An id is a text or a number."), field=name)
    text = str(value).strip()
    if len(text) > limit or not text.isprintable():
        raise Refused(_("Use at most %d characters.") % limit, field=name)
    return text


def _object(message: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = message.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused(_("This must be a JSON object."), field=name)
    return value


def _track(message: Any, base: dict[str, Any], place: int, request: Request) -> Read:
    name = message.get("event")
    if not isinstance(name, str) or not name.strip():
        raise Refused(_("Write the event's name like order_paid."), field="event")
    ours, properties = request.names.ours(" ".join(name.split())[:200], _object(message, "properties"))
    return _event(base, ours, properties)


def _viewed(kind: str) -> Callable[..., Read]:
    def read(message: Any, base: dict[str, Any], place: int, request: Request) -> Read:
        said = dict(_object(message, "properties"))
        for name in ("name", "category"):
            if message.get(name):
                said.setdefault(name, str(message[name])[:200])
        return _event(base, f"{kind}_viewed", said)

    return read


def _group(message: Any, base: dict[str, Any], place: int, request: Request) -> Read:
    group = _id(message, "groupId", 255)
    if not group:
        raise Refused(_("Name the group."), field="groupId")
    return _event(base, "group_joined", {"group_id": group, **_object(message, "traits")})


def _event(base: dict[str, Any], name: str, properties: Mapping[str, Any]) -> Read:
    number = properties.get("order_number") or properties.get("order_id") or ""
    order = str(number) if isinstance(number, str | int) and len(str(number)) <= 64 else ""
    return Read(told=Told(event=EventIn(**base, name=name, properties=properties, order_number=order)))


def _identify(message: Any, base: dict[str, Any], place: int, request: Request) -> Read:
    context = _object(message, "context")
    traits = {**_object(context, "traits"), **_object(message, "traits")}
    row, problems = row_of(line=place, external_id=base["external_id"], traits=traits, context=context)
    contacts: dict[str, Any] = {
        kind: found.value for kind, found in row.contacts.items() if not base["external_id"]
    }
    # The traits are kept with the customer; the event says only that there was word of them, and which.
    event = EventIn(**base, **contacts, name=IDENTIFIED, properties={"traits": sorted(map(str, traits))[:50]})
    if not (row.external_id or row.contacts):
        return Read(told=Told(event=event), problems=problems)
    return Read(told=Told(event=event, row=row, binds=(base["anonymous_id"],)), problems=problems)


def _alias(message: Any, base: dict[str, Any], place: int, request: Request) -> Read:
    before = _id(message, "previousId", 255) or base["anonymous_id"]
    if not before or not base["external_id"]:
        raise Refused(_("An alias names a userId and a previousId."), field="previousId")
    event = EventIn(**base, name="alias_bound", properties={})
    row = CustomerRow(line=place, external_id=base["external_id"])
    return Read(told=Told(event=event, row=row, binds=(before, base["anonymous_id"]), former=(before,)))


_READERS: dict[str, Callable[..., Read]] = {
    "track": _track,
    "page": _viewed("page"),
    "screen": _viewed("screen"),
    "group": _group,
    "identify": _identify,
    "alias": _alias,
}
