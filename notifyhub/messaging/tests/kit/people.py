"""Crowds of customers, made quickly."""

from typing import Any

from django.utils import timezone

from notifyhub.customers.models import Consent, ContactPoint, Customer, Suppression, Topic
from notifyhub.customers.services.contacts import contact_row, read_contact
from notifyhub.customers.tests.factories import make_topic
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.models import Dispatch, ProviderAccount
from notifyhub.messaging.services.accounts import create_account
from notifyhub.messaging.services.dispatches import Item
from notifyhub.messaging.tests.kit.sending import dispatch_to


def make_people(count: int, topic: Topic) -> list[Customer]:
    """Make customers with a mailbox and an opt-in, many at once; return them."""
    people = Customer.objects.bulk_create(
        Customer(external_id=f"P{n:05d}", name=f"客户 {n}") for n in range(count)
    )
    ContactPoint.objects.bulk_create(
        contact_row(read_contact(kind="email", raw=f"p{n}@mail.example"), customer_id=one.pk)
        for n, one in enumerate(people)
    )
    Consent.objects.bulk_create(
        Consent(customer=one, topic=topic, channel="email", decision="in", given_at=timezone.now())
        for one in people
    )
    return people


def suppress(people: list[Customer]) -> int:
    """Suppress the mailboxes of these people; return how many that were."""
    points = ContactPoint.objects.filter(customer__in=people, kind="email")
    made = Suppression.objects.bulk_create(
        Suppression(kind="email", value_hash=point.value_hash, masked="x", reason="stop") for point in points
    )
    return len(made)


def sink_account(port: int, *, connections: int = 2, **fields: Any) -> ProviderAccount:
    """Return an account that hands over to the sink on `port`."""
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "from_email": "news@shop.example",
        "connections": connections,
    }
    return create_account(channel="email", backend="smtp", name=f"Sink {port}", values=values, **fields)


def planned_crowd(count: int, *, suppressed: int = 0, **fields: Any) -> Dispatch:
    """Return a planned dispatch to so many people, some of whom were suppressed after it was planned."""
    topic = make_topic()
    people = make_people(count, topic)
    if fields.get("message_class", "promotional") == "promotional":
        dispatch = dispatch_to(topic=topic, **fields)
    else:
        items = [Item(item=n, customer_id=one.pk) for n, one in enumerate(people)]
        dispatch = dispatch_to(audience={"kind": "items"}, items=items, **fields)
    plan_dispatch(dispatch_id=dispatch.pk)
    if suppressed:
        suppress(people[:: count // suppressed][:suppressed])
    return dispatch
