"""How often customers want the messages of a topic: told by themselves or to staff, with its history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Customer, Topic
from notifyhub.customers.models.consent import MessageClass
from notifyhub.messaging.models import DigestWish, DigestWishRecord, Template
from notifyhub.staff.context import current_actor
from notifyhub.staff.services import audit

Wish = DigestWish.Wish
STAFF = "staff"
# Shown on a customer's page; all of it is in the copy of their data.
TOLD = 5


@dataclass(frozen=True, kw_only=True)
class WishLine:
    """One topic that may be gathered, and how this customer wants it."""

    topic: Topic
    wish: str
    gathers: bool = True
    changed_at: datetime | None = None

    @property
    def label(self) -> str:
        return str(Wish(self.wish).label)


@transaction.atomic
def set_wish(*, customer_id: int, topic: Topic, wish: str, source: str, proof: str = "") -> bool:
    """Write down how often a customer wants a topic; return whether that changed anything.

    It holds for what is planned from now on; what waits stays in its bucket. Raises Refused for an unknown
    wish, a topic that is never gathered, or a customer who was erased or merged.
    """
    if wish not in Wish.values:
        raise Refused(_("Choose at once, daily, weekly, or as the sender chose."), field="wish")
    if topic.message_class == MessageClass.TRANSACTIONAL:
        raise Refused(_("Transactional messages always go at once."), field="topic")
    customer = Customer.objects.select_for_update().filter(pk=customer_id).first()
    if customer is None or customer.state != Customer.State.ACTIVE:
        raise Refused(_("This customer was erased or merged; nothing can be recorded for them."))
    rows = DigestWish.objects.filter(customer=customer, topic=topic)
    before = rows.values_list("wish", flat=True).first() or Wish.TEMPLATE
    if before == wish:
        return False
    now = timezone.now()
    rows.update_or_create(customer=customer, topic=topic, defaults={"wish": wish, "changed_at": now})
    DigestWishRecord.objects.create(
        customer=customer,
        topic=topic,
        wish=wish,
        at=now,
        source=source[:40],
        proof=proof[:200],
        recorded_by=current_actor().name[:120],
    )
    audit.record(verb="set_digest_wish", obj=customer, topic=topic.code, before=before, wish=wish)
    return True


def gathering_topics() -> list[int]:
    """Return the topics of which some template's messages are gathered."""
    rows = Template.objects.exclude(gather=Template.Gather.NEVER).filter(archived_at=None, topic__active=True)
    return sorted({topic for topic in rows.values_list("topic_id", flat=True) if topic is not None})


def wishes_of(*, customer_id: int, topics: Sequence[Topic] | None = None) -> list[WishLine]:
    """Return the topics that may be gathered, each with the customer's wish; of `topics` if given."""
    shown = gathering_topics()
    found = topics if topics is not None else list(Topic.objects.filter(pk__in=shown))
    wished = dict(DigestWish.objects.filter(customer_id=customer_id).values_list("topic_id", "wish"))
    return [
        WishLine(topic=topic, wish=wished.get(topic.pk, Wish.TEMPLATE))
        for topic in found
        if topic.pk in shown
    ]


def told_of(*, customer_id: int) -> list[WishLine]:
    """Return each topic in use that may be gathered, or of which this customer told a wish; three queries."""
    shown = set(gathering_topics())
    told = {row.topic_id: row for row in DigestWish.objects.filter(customer_id=customer_id)}
    return [
        WishLine(
            topic=topic,
            wish=told[topic.pk].wish if topic.pk in told else Wish.TEMPLATE,
            gathers=topic.pk in shown,
            changed_at=told[topic.pk].changed_at if topic.pk in told else None,
        )
        for topic in Topic.objects.filter(pk__in=shown | set(told), active=True)
    ]


def history_of(*, customer_id: int) -> list[DigestWishRecord]:
    """Return when they told their wishes, the latest first."""
    return list(DigestWishRecord.objects.filter(customer_id=customer_id).select_related("topic")[:TOLD])
