"""What became of the messages of a request."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from notifyhub.messaging.models import Delivery, Dispatch
from notifyhub.messaging.services.replies import replies_by_message
from notifyhub.messaging.services.requests.accepting import ORIGIN
from notifyhub.staff.models import ApiKey

MOST_REPLIES = 5000


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the recipient replied; `meaning` is text, stop or start."""

    at: datetime
    text: str
    meaning: str


@dataclass(frozen=True, kw_only=True)
class MessageLine:
    """One message: the place of its recipient in the request, and where it is."""

    recipient: int
    reference: str
    step: int
    channel: str
    state: str
    reason: str
    due_at: datetime
    handed_over_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    replies: tuple[Answer, ...] = ()


def find_request(*, key: ApiKey, request_id: UUID) -> Dispatch | None:
    """Return the dispatch of a request made with a key of the same owner; None if there is none."""
    rows = Dispatch.objects.filter(key=request_id, origin_kind=ORIGIN)
    found = rows.first()
    if found is None:
        return None
    maker = ApiKey.objects.filter(pk=int(found.origin_id)).first() if found.origin_id.isdigit() else None
    same_team = maker is not None and key.owner_team_id and key.owner_team_id == maker.owner_team_id
    return found if maker is not None and (maker.pk == key.pk or same_team) else None


def outcomes_of(*, dispatch: Dispatch, after: int = -1, limit: int = 1000) -> list[MessageLine]:
    """Return the messages to recipients behind place `after`, by place and step, whole recipients only."""
    rows = Delivery.objects.filter(dispatch_id=dispatch.pk, dedup_key__gt=after, dedup_key__lte=after + limit)
    shown = list(rows.order_by("dedup_key", "step"))
    answers = replies_by_message(((row.dispatch_id, row.pk) for row in shown), limit=MOST_REPLIES)
    return [
        MessageLine(
            recipient=row.dedup_key,
            reference=row.reference,
            step=row.step,
            channel=row.channel,
            state=Delivery.State(row.state).name.lower(),
            reason=row.reason if row.state != Delivery.State.PLANNED else "",
            due_at=row.send_at,
            handed_over_at=row.settled_at
            if row.state in (Delivery.State.SENT, Delivery.State.DELIVERED, Delivery.State.BOUNCED)
            else None,
            delivered_at=row.delivered_at,
            read_at=row.read_at,
            replies=tuple(
                Answer(at=one.at, text=str(one.text or ""), meaning=one.meaning)
                for one in reversed(answers.get(row.reference, []))
                if one.text is not None
            ),
        )
        for row in shown
    ]
