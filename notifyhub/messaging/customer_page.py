"""What messaging shows on a customer's page: entries of the timeline, the last messages, and what waits."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from notifyhub.core.registry import Panel, TimelineEntry, customer_panels, customer_timeline, subject_messages
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.looks import CHANNEL_ICONS, STATE_TONES
from notifyhub.messaging.models import Delivery, DigestWish, InboundMessage
from notifyhub.messaging.services.digests.telling import waiting_for
from notifyhub.messaging.services.digests.wishes import history_of, wishes_of
from notifyhub.messaging.services.ledger import messages_about, messages_of
from notifyhub.messaging.services.replies import replies_of

LAST = 8
Meaning = InboundMessage.Meaning
PERMISSION = "messaging.view_delivery"


def timeline(
    *, customer_id: int, before: datetime | None, limit: int, request: Any
) -> Sequence[TimelineEntry]:
    """Return the customer's messages as entries, at the time they were settled; none without permission."""
    if not request.user.has_perm(PERMISSION):
        return []
    return [_entry(line) for line in messages_of(customer_id, limit, before)]


def _entry(line: Any) -> TimelineEntry:
    return TimelineEntry(
        at=line.at,
        kind="message",
        title=line.title,
        detail=" · ".join(
            str(part)
            for part in (Channel(line.channel).label, line.reason_label if line.reason else "")
            if part
        ),
        icon=CHANNEL_ICONS[Channel(line.channel)],
        chip=line.state_label,
        tone=STATE_TONES[Delivery.State(line.state)],
        url=reverse("admin:messaging_delivery_page", args=[line.reference]),
    )


def about_subjects(
    pairs: Sequence[tuple[int, str]], since: datetime, limit: int, request: Any
) -> Sequence[TimelineEntry] | None:
    """Return what customers got about their subjects; None without permission."""
    if not request.user.has_perm(PERMISSION):
        return None
    return [_entry(line) for line in messages_about(pairs, since, limit)]


def reply_entries(
    *, customer_id: int, before: datetime | None, limit: int, request: Any
) -> Sequence[TimelineEntry]:
    """Return what the customer replied, with what became of it; none without permission."""
    if not request.user.has_perm("messaging.view_inboundmessage"):
        return []
    return [
        TimelineEntry(
            at=line.reply.at,
            kind="message",
            title=_("Reply: %(text)s") % {"text": shorten(str(line.reply.text or "—"))},
            detail=" · ".join(
                part for part in (str(Channel(line.reply.channel).label), line.went_to) if part
            ),
            icon="reply",
            chip=line.reply.get_meaning_display() if line.reply.meaning != Meaning.TEXT else "",
            tone="orange" if line.reply.meaning == Meaning.STOP else "grey",
            url=line.url or message_url(line.reply),
        )
        for line in replies_of(customer_id=customer_id, viewer=request.user, limit=limit, before=before)
    ]


def shorten(text: str) -> str:
    """Return the beginning of a text, on one line."""
    return Truncator(" ".join(text.split())).chars(120)


def message_url(reply: InboundMessage) -> str:
    """Return the page of the message that is answered, "" if none is known."""
    return reverse("admin:messaging_delivery_page", args=[reply.answers]) if reply.answers else ""


def last_messages(request: Any, customer: Any) -> str:
    """Return the card's body: the last messages with channel, state and reason."""
    context = {"lines": messages_of(customer.pk, LAST), "customer": customer}
    return render_to_string("messaging/last_messages.html", context, request=request)


def gathering(request: Any, customer: Any) -> str:
    """Return the card's body: what waits to be gathered, and how often the customer wants what."""
    user = request.user
    context = {
        "customer": customer,
        "buckets": waiting_for(customer.pk, user),
        "wishes": wishes_of(customer_id=customer.pk),
        "told": history_of(customer_id=customer.pk),
        "choices": DigestWish.Wish.choices,
        "may_steer": user.has_perm("messaging.steer_digest"),
        "may_wish": user.has_perm("messaging.change_digestwish"),
    }
    return render_to_string("messaging/digest/waiting.html", context, request=request)


def register() -> None:
    """Hand them to the registries."""
    subject_messages.register("messages", about_subjects)
    customer_timeline.register("messages", timeline)
    customer_timeline.register("replies", reply_entries)
    customer_panels.register(
        "messages",
        Panel(title=_("Last messages"), render=last_messages, permission=PERMISSION, column="side"),
        order=30,
    )
    customer_panels.register(
        "digests",
        Panel(title=_("Waiting to be gathered"), render=gathering, permission=PERMISSION, column="side"),
        order=35,
    )
