"""Working on replies: in the order in which one contact point sent them, each in a transaction of its own."""

import logging

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from notifyhub.messaging.models import InboundMessage
from notifyhub.messaging.models.provider import OpensCases, ProviderAccount
from notifyhub.messaging.registry import ReplyFacts, reply_takers
from notifyhub.messaging.services.replies.matching import Match, find_match
from notifyhub.messaging.services.replies.stopping import start, stop
from notifyhub.messaging.services.replies.words import read_meaning
from notifyhub.staff.context import Actor, acting

logger = logging.getLogger(__name__)

Meaning = InboundMessage.Meaning
CUSTOMER = Actor(kind="system", name="customer's reply")
MOST_TRIES = 5
ROWS = 2_000
# The classes to which an answer is work: the customer was written to about something of theirs.
ABOUT_THEM = ("transactional", "service")

# One whose number has an earlier one under way waits for that: STOP and START must not change places.
_NEXT = """
SELECT r.id FROM messaging_inboundmessage r
WHERE r.handled_at IS NULL AND r.id > %(after)s
  AND NOT EXISTS (
      SELECT 1 FROM messaging_inboundmessage e
      WHERE e.contact_hash = r.contact_hash AND e.id < r.id AND e.handled_at IS NULL)
ORDER BY r.id LIMIT 1 FOR UPDATE OF r SKIP LOCKED
"""


def take_replies() -> int:
    """Work on the replies that wait; return how many were done. Several processes may do so at once."""
    done, last = 0, 0
    for _turn in range(ROWS):
        number, fine = _take_next(after=last)
        if number is None:
            break
        last = number
        done += fine
    return done


def _take_next(*, after: int) -> tuple[int | None, bool]:
    """Return (the reply that was worked on, whether that went well); no number when none is left."""
    number = None
    try:
        with transaction.atomic(), acting(CUSTOMER):
            with connection.cursor() as cursor:
                cursor.execute(_NEXT, {"after": after})
                row = cursor.fetchone()
            if row is None:
                return None, False
            number = row[0]
            _handle(InboundMessage.objects.select_related("account").get(pk=number))
    except Exception:
        if number is None:
            raise
        # One that cannot be worked on must not keep others from it: it is stored, and tried again.
        logger.exception("Reply %s could not be worked on", number)
        _note_failure(number)
        return number, False
    return number, True


def _note_failure(number: int) -> None:
    rows = InboundMessage.objects.filter(pk=number, handled_at=None)
    rows.update(tries=F("tries") + 1)
    rows.filter(tries__gte=MOST_TRIES).update(handled_at=timezone.now())


def _handle(reply: InboundMessage) -> None:
    match = find_match(reply)
    reply.meaning = read_meaning(str(reply.text or ""), channel=reply.channel)
    reply.customer_id = match.customer_id
    if match.delivery is not None:
        reply.dispatch_id, reply.delivery_id = match.delivery.dispatch_id, match.delivery.pk
    if reply.meaning == Meaning.STOP:
        reply.closed = stop(reply, match)
    elif reply.meaning == Meaning.START:
        start(reply)
    else:
        _offer(reply, match)
    reply.handled_at = timezone.now()
    reply.save(
        update_fields=[
            *("meaning", "customer", "dispatch_id", "delivery_id", "closed"),
            *("taken_kind", "taken_id", "handled_at"),
        ]
    )


def _offer(reply: InboundMessage, match: Match) -> None:
    """Offer a reply to the apps above, until one takes it."""
    facts = ReplyFacts(
        reply_id=reply.pk,
        at=reply.received_at,
        channel=reply.channel,
        sender=str(reply.contact or ""),
        contact_hash=bytes(reply.contact_hash or b""),
        text=str(reply.text or ""),
        customer_id=match.customer_id,
        dispatch_id=reply.dispatch_id,
        answers=reply.answers,
        title=match.dispatch.title if match.dispatch else "",
        opens_case=opens_case(reply.account, match.dispatch.message_class if match.dispatch else ""),
    )
    for taker in reply_takers:
        taken = taker(facts)
        if taken is not None:
            reply.taken_kind, reply.taken_id = taken
            break
    if reply.customer_id is None:
        # Whoever took it may have made a customer of an unknown number.
        reply.customer_id = find_match(reply).customer_id


def opens_case(account: ProviderAccount, message_class: str) -> bool:
    """Say whether a reply to a message of that class ("" if to none that is known) is work of its own."""
    if account.opens_cases == OpensCases.SERVICE:
        return message_class in ABOUT_THEM
    return account.opens_cases == OpensCases.ALL
