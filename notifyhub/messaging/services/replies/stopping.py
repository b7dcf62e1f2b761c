"""Closing what a customer refuses by a reply, and opening that again, and only that, when they ask."""

from collections.abc import Iterable
from typing import Any

from django.utils import timezone

from notifyhub.customers.models import Consent, ConsentRecord, Customer, Suppression, Topic
from notifyhub.customers.models.consent import CONTACT_KIND, Decision, MessageClass
from notifyhub.customers.services.consents import record_consent
from notifyhub.customers.services.suppressions import lift, suppress
from notifyhub.messaging.models import InboundMessage
from notifyhub.messaging.services.preferences import find_link, tell_unsubscribed
from notifyhub.messaging.services.replies.matching import Match

# As the source of a consent record.
SOURCE = "reply"
# Refusing a bill's reminder refuses offers too; refusing what needs no consent refuses offers alone.
REFUSABLE = (MessageClass.SERVICE, MessageClass.INFORMATIONAL)


def stop(reply: InboundMessage, match: Match) -> dict[str, Any]:
    """Withdraw consent to offers, and to the class of the answered message, on this channel for everybody who
    has this contact point; keep offers from the contact point itself; return what that closed.

    In the caller's transaction.
    """
    classes = {MessageClass.PROMOTIONAL}
    if match.dispatch is not None and match.dispatch.message_class in REFUSABLE:
        classes.add(MessageClass(match.dispatch.message_class))
    topics = list(Topic.objects.filter(message_class__in=classes).order_by("pk"))
    closed = _withdraw(reply, _locked(match.customer_ids), topics)
    if match.delivery is not None:
        link = find_link(dispatch_id=match.delivery.dispatch_id, delivery_id=match.delivery.pk)
        if link is not None:
            tell_unsubscribed(link=link, source=SOURCE)
    return {"topics": closed, "suppression": _suppress(reply)}


def start(reply: InboundMessage) -> int:
    """Open again what earlier replies from this contact point closed; return how much that was.

    What the customer, or staff, decided since by another way stays as it is. In the caller's transaction.
    """
    stops = InboundMessage.objects.filter(
        contact_hash=reply.contact_hash,
        channel=reply.channel,
        meaning=InboundMessage.Meaning.STOP,
        handled_at__isnull=False,
        reopened_at=None,
        pk__lt=reply.pk,
    ).exclude(closed={})
    opened = 0
    for one in stops.order_by("-pk"):
        opened += _reopen(reply, one)
        InboundMessage.objects.filter(pk=one.pk).update(reopened_at=timezone.now())
    return opened


def _locked(customer_ids: Iterable[int]) -> list[Customer]:
    rows = Customer.objects.filter(pk__in=customer_ids, state=Customer.State.ACTIVE)
    return list(rows.select_for_update().order_by("pk"))


def _withdraw(
    reply: InboundMessage, customers: list[Customer], topics: list[Topic]
) -> list[tuple[int, int, str]]:
    """Return (customer, topic, what they had said before) of what was not closed already."""
    decided = {
        (one.customer_id, one.topic_id): one.decision
        for one in Consent.objects.filter(customer__in=customers, topic__in=topics, channel=reply.channel)
    }
    closed = []
    for customer in customers:
        for topic in topics:
            before = decided.get((customer.pk, topic.pk), "")
            if before == Decision.OPT_OUT:
                continue
            _record(reply, customer.pk, topic, Decision.OPT_OUT)
            closed.append((customer.pk, topic.pk, before))
    return closed


def _suppress(reply: InboundMessage) -> int | None:
    """Return the suppression that this reply made, None if there was one or the channel has no contact point.

    It holds for customers who come to have this contact point later, and for topics that come later.
    """
    kind = CONTACT_KIND[reply.channel]
    if kind is None:
        return None
    facts: dict[str, Any] = {
        "kind": kind,
        "value_hash": bytes(reply.contact_hash or b""),
        "scope": Suppression.Scope.PROMOTIONAL,
    }
    if Suppression.objects.in_force().filter(**facts).exists():
        return None
    note = _proof(reply)
    return suppress(**facts, masked=reply.masked, reason=Suppression.Reason.STOP, note=note).pk


def _reopen(reply: InboundMessage, stopped: InboundMessage) -> int:
    opened = 0
    topics = Topic.objects.in_bulk({topic_id for _customer, topic_id, _before in stopped.closed["topics"]})
    there = {one.pk for one in _locked({customer for customer, _t, _b in stopped.closed["topics"]})}
    for customer_id, topic_id, before in stopped.closed["topics"]:
        topic = topics.get(topic_id)
        # Where nobody had asked for offers, there is nothing to go back to.
        silent = not before and topic is not None and topic.message_class == MessageClass.PROMOTIONAL
        if topic is None or customer_id not in there or silent:
            continue
        last = ConsentRecord.objects.filter(customer_id=customer_id, topic=topic, channel=reply.channel)
        if getattr(last.order_by("-pk").first(), "proof", "") != _proof(stopped):
            continue
        _record(reply, customer_id, topic, Decision.OPT_IN)
        opened += 1
    made = Suppression.objects.in_force().filter(
        pk=stopped.closed.get("suppression") or 0, reason=Suppression.Reason.STOP
    )
    if made.exists():
        lift(suppression_id=stopped.closed["suppression"], reason=_proof(reply))
        opened += 1
    return opened


def _record(reply: InboundMessage, customer_id: int, topic: Topic, decision: str) -> None:
    record_consent(
        customer_id=customer_id,
        topic=topic,
        channel=reply.channel,
        decision=decision,
        source=SOURCE,
        wording=str(reply.text or "")[:40],
        proof=_proof(reply),
    )


def _proof(reply: InboundMessage) -> str:
    return f"reply {reply.pk}"
