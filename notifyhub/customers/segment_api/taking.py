"""All messages of one request: what can be read is taken, the rest is put aside and never in the way."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from notifyhub.core.errors import Refused
from notifyhub.customers.models import ParkedEvent
from notifyhub.customers.segment_api.messages import Read, Request, message_id_of, read_message, read_time
from notifyhub.customers.services.events.names import current_names
from notifyhub.customers.services.events.parking import Aside, as_told, put_aside
from notifyhub.customers.services.events.recording import EventProblem, EventsResult
from notifyhub.customers.services.events.telling import take_told


def take_messages(
    messages: Sequence[Any], *, source: str, sent_at: Any = None, kind: str = "", now: datetime | None = None
) -> EventsResult:
    """Take the messages of one request; return what became of them.

    Each refused one is in the result and kept to be looked at.
    """
    request = Request(
        names=current_names(), source=source, received_at=now or timezone.now(), sent_at=_sent(sent_at)
    )
    read: list[Read] = []
    places: list[int] = []
    problems: list[EventProblem] = []
    asides: list[Aside] = []
    for place, message in enumerate(messages):
        try:
            found = read_message(message, place=len(read), request=request, kind=kind)
        except Refused as refusal:
            problems.append(EventProblem(index=place, field=refusal.field or "", message=str(refusal)))
            asides.append(_aside(_told(message), source, refusal.field or "", str(refusal)))
            continue
        read.append(found)
        places.append(place)
        for name, reason in found.problems:
            told = as_told(found.told.event)
            told["message_id"] = f"{told['message_id'][:100]}:{name}"
            asides.append(_aside(told, source, name, reason))
    result = take_told([one.told for one in read])
    put_aside(asides)
    result.problems = [
        *problems,
        *(
            EventProblem(index=places[p.index], field=p.field, message=p.message, code=p.code)
            for p in result.problems
        ),
    ]
    return result


def _sent(value: Any) -> datetime | None:
    try:
        return read_time(value)
    except Refused:
        return None


def _aside(told: Mapping[str, Any], source: str, name: str, reason: str) -> Aside:
    return Aside(why=ParkedEvent.Why.REFUSED, told=told, source=source, field=name, reason=reason)


def _told(message: Any) -> dict[str, Any]:
    """Return a message nobody could read in our own words, as far as they go, with all of it beside."""
    if not isinstance(message, dict):
        return {"message": message}
    told = {
        "message_id": message_id_of(message),
        "name": message.get("event") or message.get("type"),
        "occurred_at": message.get("timestamp"),
        "external_id": message.get("userId"),
        "anonymous_id": message.get("anonymousId"),
        "message": message,
    }
    return {name: value for name, value in told.items() if value not in (None, "")}
