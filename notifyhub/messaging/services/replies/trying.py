"""Trying by hand what a reply does, where nothing leaves the house."""

import uuid
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import ContactPoint
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.channels.base import Reply
from notifyhub.messaging.models import Delivery, InboundMessage, ProviderAccount
from notifyhub.messaging.services.replies.handling import take_replies
from notifyhub.messaging.services.replies.storing import LONGEST, store_replies
from notifyhub.staff.services import audit

SANDBOX = "sandbox"


def may_try(*, account: ProviderAccount | None, viewer: Any) -> bool:
    """Say whether this person may answer, as the customer, a message that went through this account."""
    return (
        account is not None
        and account.backend == SANDBOX
        and account.channel != Channel.EMAIL
        and viewer.has_perm("messaging.reply_in_sandbox")
    )


def reply_in_sandbox(*, dispatch_id: int, delivery_id: int, text: str) -> InboundMessage:
    """Reply to a message of the sandbox as its customer would; return the reply, worked on.

    Raises Refused if the message did not go through the sandbox, or nothing is written.
    """
    delivery = Delivery.objects.filter(dispatch_id=dispatch_id, pk=delivery_id).first()
    account = ProviderAccount.objects.filter(pk=delivery.account_id or 0).first() if delivery else None
    if delivery is None or account is None or account.backend != SANDBOX:
        raise Refused(_("Only a message in the sandbox can be answered here."))
    point = ContactPoint.objects.filter(pk=delivery.contact_id or 0).first()
    if point is None:
        raise Refused(_("The customer has no such contact point any more."))
    if not text.strip():
        raise Refused(_("Write something first."), field="text")
    if len(text) > LONGEST:
        raise Refused(_("Shorten the text to %d characters.") % LONGEST, field="text")
    name = f"try.{uuid.uuid4().hex}"
    with transaction.atomic():
        answer = Reply(
            event_id=name,
            sender=str(point.value),
            text=text,
            at=timezone.now(),
            reference=delivery.reference,
        )
        store_replies(account=account, replies=[answer])
        reply = InboundMessage.objects.get(account=account, event_id=name)
        audit.record(verb="reply_in_sandbox", obj=reply, label=delivery.reference)
    take_replies()
    reply.refresh_from_db()
    return reply
