"""How messaging's rows about a customer are copied out for them, and erased with them."""

import json
from typing import Any

from django.db import connection

from notifyhub.core.registry import PersonalData, personal_data
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.models import Delivery, Dispatch, DispatchItem, InboundMessage, SendCount
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
    return SendCount.objects.filter(customer_id=customer_id).delete()[0]


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


def register() -> None:
    """Hand the handlers to the registry."""
    personal_data.register(
        DispatchItem._meta.label, PersonalData(export=export_items, erase=erase_items), order=60
    )
    personal_data.register(
        Delivery._meta.label, PersonalData(export=export_messages, erase=erase_messages), order=60
    )
    personal_data.register(
        SendCount._meta.label, PersonalData(export=export_counts, erase=erase_counts), order=60
    )
    personal_data.register(
        InboundMessage._meta.label, PersonalData(export=export_replies, erase=erase_replies), order=60
    )
