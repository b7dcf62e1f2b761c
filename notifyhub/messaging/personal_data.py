"""How messaging's rows about a customer are copied out for them, and erased with them."""

import json
from typing import Any

from django.db import connection
from django.utils import timezone

from notifyhub.core.registry import PersonalData, SealedColumn, personal_data, sealed_columns
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.models import (
    Attachment,
    Delivery,
    DigestItem,
    DigestWish,
    DigestWishRecord,
    Dispatch,
    DispatchItem,
    InboundMessage,
    MessageCopy,
    SendCount,
    SendDay,
)
from notifyhub.messaging.rendering.variables import masked
from notifyhub.messaging.services.copies import show_many


def export_items(customer_id: int) -> Any:
    """Return what dispatches that named the customer knew of them, secrets as dots."""
    rows = DispatchItem.objects.filter(customer_id=customer_id).select_related("dispatch").order_by("pk")
    return [
        {
            "dispatch": row.dispatch.shown_title,
            "at": row.dispatch.created_at,
            "subject": row.subject_ref,
            "variables": masked(json.loads(str(row.variables))) if row.variables else {},
        }
        for row in rows
    ]


def erase_items(customer_id: int) -> int:
    """Empty the variables; the row stays, since the sums of its dispatch close over it."""
    rows = DispatchItem.objects.filter(customer_id=customer_id)
    return rows.update(variables=None, subject_ref="", contact=None)


def export_messages(customer_id: int) -> Any:
    """Return every message of the customer with what it said."""
    rows = list(Delivery.objects.filter(customer_id=customer_id).order_by("id"))
    dispatches = Dispatch.objects.in_bulk({row.dispatch_id for row in rows})
    said = show_many([(dispatches[row.dispatch_id], row) for row in rows])
    return [
        {
            "title": dispatches[row.dispatch_id].shown_title,
            "channel": Channel(row.channel).label,
            "state": row.get_state_display(),
            "at": row.settled_at or row.send_at,
            "subject": said[row.reference].subject if row.reference in said else "",
            "text": said[row.reference].text if row.reference in said else "",
        }
        for row in rows
    ]


def erase_messages(customer_id: int) -> int:
    """Delete what the messages said; the ledger keeps who, when and what became of it, without words."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM messaging_messagecopy m USING messaging_delivery d WHERE d.customer_id = %s"
            " AND m.dispatch_id = d.dispatch_id AND m.delivery_id = d.id",
            [customer_id],
        )
        copies = cursor.rowcount
    # Messages that were not sent yet go nowhere any more.
    pending = Delivery.objects.filter(customer_id=customer_id, state=Delivery.State.PLANNED)
    return copies + pending.update(contact_id=None)


def export_counts(customer_id: int) -> Any:
    """Return on which days the customer was counted, and how often; what for is kept as a number only."""
    rows = SendCount.objects.filter(customer_id=customer_id, used__gt=0).order_by("day", "respect")
    return [{"day": row.day, "messages": row.used, "last": row.at} for row in rows]


def erase_counts(customer_id: int) -> int:
    """Delete the counts."""
    return SendDay.objects.filter(customer_id=customer_id).delete()[0]


def export_replies(customer_id: int) -> Any:
    """Return what the customer wrote to us."""
    rows = InboundMessage.objects.filter(customer_id=customer_id).order_by("pk")
    return [
        {"at": row.at, "channel": Channel(row.channel).label, "from": row.contact, "text": row.text}
        for row in rows
    ]


def erase_replies(customer_id: int) -> int:
    """Empty what they wrote and from where; that a reply came, and what it closed, stays."""
    rows = InboundMessage.objects.filter(customer_id=customer_id)
    return rows.update(text=None, contact=None, contact_hash=None, masked="", provider_ref="")


def export_waiting(customer_id: int) -> Any:
    """Return which messages were gathered, and what became of them; what they say is with their dispatch."""
    rows = DigestItem.objects.filter(customer_id=customer_id).select_related("topic")
    return [
        {
            "topic": str(row.topic),
            "subject": row.subject_ref,
            "at": row.at,
            "closes_at": row.closes_at,
            "state": row.get_state_display(),
            "reason": row.get_reason_display() if row.reason else "",
        }
        for row in rows
    ]


def erase_waiting(customer_id: int) -> int:
    """Leave out what waits, and forget what the rest was about."""
    rows = DigestItem.objects.filter(customer_id=customer_id)
    rows.filter(state=DigestItem.State.WAITING).update(
        state=DigestItem.State.DROPPED, reason=DigestItem.Reason.ERASED, settled_at=timezone.now()
    )
    return rows.update(subject_ref="")


def export_wishes(customer_id: int) -> Any:
    """Return how often the customer wanted what, with when and where they told it."""
    rows = DigestWishRecord.objects.filter(customer_id=customer_id).select_related("topic")
    return [
        {"topic": str(row.topic), "wish": row.get_wish_display(), "at": row.at, "source": row.source}
        for row in rows
    ]


def erase_wishes(customer_id: int) -> int:
    """Delete the history of the wishes."""
    return DigestWishRecord.objects.filter(customer_id=customer_id).delete()[0]


def export_present_wishes(customer_id: int) -> Any:
    """Return the wishes in force."""
    rows = DigestWish.objects.filter(customer_id=customer_id).select_related("topic")
    return [
        {"topic": str(row.topic), "wish": row.get_wish_display(), "since": row.changed_at} for row in rows
    ]


def erase_present_wishes(customer_id: int) -> int:
    """Delete the wishes."""
    return DigestWish.objects.filter(customer_id=customer_id).delete()[0]


def register() -> None:
    """Hand the handlers to the registry."""
    # Up to 5 MB each.
    files = SealedColumn(model=Attachment._meta.label, field="content", at_once=5)
    sealed_columns.register("messaging.Attachment.content", files)
    # Append-only, by far the largest, and deleted after their time: to write each again would double them.
    copies = SealedColumn(model=MessageCopy._meta.label, field="payload", oldest_by="at", rotates=False)
    sealed_columns.register("messaging.MessageCopy.payload", copies)
    personal_data.register(
        DispatchItem._meta.label, PersonalData(export=export_items, erase=erase_items), order=60
    )
    personal_data.register(
        Delivery._meta.label, PersonalData(export=export_messages, erase=erase_messages), order=60
    )
    personal_data.register(
        DigestItem._meta.label, PersonalData(export=export_waiting, erase=erase_waiting), order=60
    )
    personal_data.register(
        DigestWish._meta.label,
        PersonalData(export=export_present_wishes, erase=erase_present_wishes),
        order=60,
    )
    personal_data.register(
        DigestWishRecord._meta.label, PersonalData(export=export_wishes, erase=erase_wishes), order=60
    )
    personal_data.register(
        SendDay._meta.label, PersonalData(export=export_counts, erase=erase_counts), order=60
    )
    personal_data.register(
        InboundMessage._meta.label, PersonalData(export=export_replies, erase=erase_replies), order=60
    )
