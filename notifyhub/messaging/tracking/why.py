"""Why somebody got a message, from what is stored: nothing here is guessed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifyhub.customers.models import ConsentRecord
from notifyhub.customers.models.consent import Decision, MessageClass
from notifyhub.messaging.rendering.links import unsubscribe_url
from notifyhub.messaging.services.preferences import find_link


@dataclass(frozen=True, kw_only=True)
class WhyPage:
    """What the page tells. `agreed` is the opt-in in force when there is one; `stop_url` is empty where there
    is nothing to stop. It bears no name, number or mailbox: whoever holds the link may see it."""

    title: str
    message_class: str
    channel: Any
    sent_at: datetime
    department: str
    topic: Any
    agreed: ConsentRecord | None
    stop_url: str


def explain_why(*, dispatch_id: int, delivery_id: int) -> WhyPage | None:
    """Return the reason of one message; None if the message is gone."""
    link = find_link(dispatch_id=dispatch_id, delivery_id=delivery_id)
    if link is None:
        return None
    delivery, dispatch = link.delivery, link.dispatch
    agreed = None
    if link.topic is not None and link.customer is not None:
        records = ConsentRecord.objects.filter(
            customer=link.customer,
            topic=link.topic,
            channel=delivery.channel,
            decision=Decision.OPT_IN,
            given_at__lte=delivery.settled_at or delivery.send_at,
        )
        agreed = records.order_by("-id").first()
    return WhyPage(
        title=link.topic.name if link.topic else "",
        message_class=MessageClass(dispatch.message_class).value,
        channel=link.channel_label,
        sent_at=delivery.settled_at or delivery.send_at,
        department=dispatch.owner_team.name if dispatch.owner_team else "",
        topic=link.topic,
        agreed=agreed,
        stop_url=unsubscribe_url(dispatch_id=dispatch_id, delivery_id=delivery_id) if link.topic else "",
    )
