"""Replies as they come in: stored once, worked on after."""

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from notifyhub.core.errors import Refused
from notifyhub.customers.models.consent import CONTACT_KIND
from notifyhub.customers.services.contacts import read_contact, value_hash
from notifyhub.messaging.channels.base import Reply
from notifyhub.messaging.engine import bells
from notifyhub.messaging.models import InboundMessage, ProviderAccount
from notifyhub.messaging.services.receipts.naming import flat, plausible

LONGEST = 4000
LONGEST_SENDER = 255


@transaction.atomic
def store_replies(*, account: ProviderAccount, replies: Sequence[Reply]) -> int:
    """Store what customers replied and have it worked on; return how many came in.

    A repeated event is stored once.
    """
    now = timezone.now()
    rows = []
    for one in replies:
        contact, contact_hash, masked = _read_sender(account.channel, one.sender)
        if not one.event_id or not contact:
            continue
        rows.append(
            InboundMessage(
                account=account,
                event_id=flat(one.event_id, 120),
                at=plausible(one.at, now),
                channel=account.channel,
                contact=contact,
                contact_hash=contact_hash,
                masked=masked,
                text=flat(one.text, LONGEST),
                reference=flat(one.reference, 60) if len(one.reference) <= 60 else "",
                provider_ref=flat(one.provider_ref, 120),
            )
        )
    InboundMessage.objects.bulk_create(rows, ignore_conflicts=True)
    if rows:
        bells.ring_for_replies()
    return len(rows)


def drop_old_replies() -> int:
    """Delete the replies that are older than the settings keep them; return how many went."""
    days = settings.KEEP_DAYS["replies"]
    if not days:
        return 0
    edge = timezone.now() - timedelta(days=days)
    return InboundMessage.objects.filter(received_at__lt=edge).delete()[0]


def _read_sender(channel: str, raw: str) -> tuple[str, bytes, str]:
    """Return (value, look-up hash, masked form); what is no contact point is kept as it was told."""
    text = flat(raw.strip(), LONGEST_SENDER)
    kind = CONTACT_KIND[channel]
    if kind is not None:
        try:
            contact = read_contact(kind=kind, raw=text)
        except Refused:
            pass
        else:
            return contact.value, contact.value_hash, contact.masked
    masked = f"****{text[-4:]}" if len(text) > 8 else "****"
    return text, value_hash(kind=kind or channel, value=text), masked
