"""What the holder of a message's link may do without logging in: stop its topic, and choose others.

The link names one message, so it can speak for that message's customer and channel and for nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from notifyhub.core.tokens import read_token
from notifyhub.customers.models import Consent, Customer, Topic
from notifyhub.customers.models.consent import Channel, Decision, MessageClass
from notifyhub.customers.services.consents import record_consent
from notifyhub.messaging.models import Delivery, DeliveryEvent, Dispatch
from notifyhub.messaging.rendering.links import UNSUBSCRIBE
from notifyhub.messaging.services.digests.wishes import set_wish, wishes_of

ONE_CLICK = "one_click"
PAGE = "unsubscribe_page"
# A merge chain is followed this far; each link was made by a person, so it is short.
MAX_CHAIN = 5


@dataclass(frozen=True, kw_only=True)
class Link:
    """The message behind a link. Without `customer` (erased) or `topic` there is nothing to stop."""

    dispatch: Dispatch
    delivery: Delivery
    topic: Topic | None
    customer: Customer | None

    @property
    def dispatch_id(self) -> int:
        return int(self.dispatch.pk)

    @property
    def delivery_id(self) -> int:
        return int(self.delivery.pk)

    @property
    def channel(self) -> str:
        return self.delivery.channel

    @property
    def channel_label(self) -> str:
        return str(Channel(self.channel).label)


@dataclass(frozen=True, kw_only=True)
class TopicChoice:
    """One topic on the link's channel, and whether messages of it arrive."""

    topic: Topic
    wanted: bool
    # How often, where this topic is gathered; "" where it never is.
    wish: str = ""


def read_numbers(token: str) -> tuple[int, int] | None:
    """Return (dispatch, message) of a signed token; None if it is forged or not one."""
    value = read_token(token, purpose=UNSUBSCRIBE)
    if isinstance(value, list) and len(value) == 2 and all(isinstance(one, int) for one in value):
        return value[0], value[1]
    return None


def find_link(*, dispatch_id: int, delivery_id: int) -> Link | None:
    """Return the message behind the numbers, for the customer it belongs to now; None if it is gone."""
    delivery = Delivery.objects.filter(dispatch_id=dispatch_id, id=delivery_id).first()
    dispatch = (
        Dispatch.objects.select_related("topic", "owner_team").defer("text").filter(pk=dispatch_id).first()
    )
    if delivery is None or dispatch is None:
        return None
    customer = Customer.objects.filter(pk=delivery.customer_id).first()
    for _step in range(MAX_CHAIN):
        if customer is None or customer.merged_into_id is None:
            break
        customer = Customer.objects.filter(pk=customer.merged_into_id).first()
    if customer is not None and customer.state != Customer.State.ACTIVE:
        customer = None
    topic = dispatch.topic
    if topic is not None and topic.message_class == MessageClass.TRANSACTIONAL:
        topic = None
    return Link(
        dispatch=dispatch,
        delivery=delivery,
        topic=topic,
        customer=customer,
    )


def _decide(link: Link, topic: Topic, decision: str, source: str) -> bool:
    """Record a decision that changes something; return whether it did. The customer's row is locked."""
    assert link.customer is not None
    current = Consent.objects.filter(customer=link.customer, topic=topic, channel=link.channel).first()
    if current is not None and current.decision == decision:
        return False
    record_consent(
        customer_id=link.customer.pk,
        topic=topic,
        channel=link.channel,
        decision=decision,
        source=source,
        proof=f"message {link.dispatch_id}-{link.delivery_id}",
    )
    return True


@transaction.atomic
def opt_out(*, link: Link, source: str) -> bool:
    """Opt out of the message's topic on its channel; return whether that changed anything."""
    if link.customer is None or link.topic is None:
        return False
    Customer.objects.select_for_update().get(pk=link.customer.pk)
    return _decide(link, link.topic, Decision.OPT_OUT, source)


@transaction.atomic
def unsubscribe(*, link: Link, source: str = PAGE) -> bool:
    """Opt out of the message's topic on its channel; return whether that changed anything.

    Asking twice is harmless: one consent record, one event.
    """
    if link.customer is None or link.topic is None:
        return False
    changed = opt_out(link=link, source=source)
    tell_unsubscribed(link=link, source=source)
    return changed


def tell_unsubscribed(*, link: Link, source: str) -> None:
    """Write once on the message that its customer left because of it; in the caller's transaction."""
    told = DeliveryEvent.objects.filter(
        dispatch_id=link.dispatch_id, delivery_id=link.delivery_id, kind=DeliveryEvent.Kind.UNSUBSCRIBED
    )
    if not told.exists():
        DeliveryEvent.objects.create(
            at=timezone.now(),
            dispatch_id=link.dispatch_id,
            delivery_id=link.delivery_id,
            kind=DeliveryEvent.Kind.UNSUBSCRIBED,
            code=source,
            told_at=Now(),
        )
        # Who leaves has read it: no step of a chain follows them to another channel.
        message = Delivery.objects.filter(dispatch_id=link.dispatch_id, pk=link.delivery_id, read_at=None)
        message.update(read_at=timezone.now())


def topic_choices(*, link: Link) -> list[TopicChoice]:
    """Return every topic a customer can choose, with its state on the link's channel."""
    if link.customer is None:
        return []
    decided = dict(
        Consent.objects.filter(customer=link.customer, channel=link.channel).values_list(
            "topic_id", "decision"
        )
    )
    topics = list(Topic.objects.filter(active=True).exclude(message_class=MessageClass.TRANSACTIONAL))
    wishes = {line.topic.pk: line.wish for line in wishes_of(customer_id=link.customer.pk, topics=topics)}
    return [
        TopicChoice(
            topic=topic,
            # Promotions arrive only after a yes, the others until a no.
            wanted=decided.get(topic.pk) == Decision.OPT_IN
            if topic.message_class == MessageClass.PROMOTIONAL
            else decided.get(topic.pk) != Decision.OPT_OUT,
            wish=wishes.get(topic.pk, ""),
        )
        for topic in topics
    ]


@transaction.atomic
def save_preferences(
    *, link: Link, wanted: Mapping[int, bool], wishes: Mapping[int, str] | None = None
) -> int:
    """Record what changed among the topics shown ({topic id: wanted}, {topic id: how often}); return how many
    answers changed."""
    if link.customer is None:
        return 0
    Customer.objects.select_for_update().get(pk=link.customer.pk)
    changed = 0
    for choice in topic_choices(link=link):
        often = (wishes or {}).get(choice.topic.pk)
        if often and choice.wish and often != choice.wish:
            changed += set_wish(
                customer_id=link.customer.pk,
                topic=choice.topic,
                wish=often,
                source=PAGE,
                proof=f"message {link.dispatch_id}-{link.delivery_id}",
            )
        wish = wanted.get(choice.topic.pk)
        if wish is None or wish == choice.wanted:
            continue
        if choice.topic == link.topic and not wish:
            changed += unsubscribe(link=link)
        else:
            changed += _decide(link, choice.topic, Decision.OPT_IN if wish else Decision.OPT_OUT, PAGE)
    return changed
