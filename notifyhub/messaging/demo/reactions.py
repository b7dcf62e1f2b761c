"""Who read and clicked what the demo has sent: some always, some now and then, each at their own hour."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from django.db import connection
from django.utils import timezone

from notifyhub.customers.demo.story import NUMBER
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.models import Delivery, DeliveryEvent
from notifyhub.messaging.services.receipts import Receipt, record_receipts
from notifyhub.messaging.services.telling import tell_own_events

Kind = DeliveryEvent.Kind

AT_ONCE = 1000
# Older than anything the demo has sent.
SINCE = timedelta(days=400)
# How many people of a hundred react to how many messages of a hundred.
HABITS = ((20, 90), (30, 35), (50, 4))
# When people look at their phone, and how many of a hundred at that hour.
HOURS = ((8, 14), (12, 24), (13, 12), (18, 10), (20, 22), (21, 18))
CLICKED = 0.3

_ARRIVED = f"""
SELECT d.dispatch_id, d.id, d.customer_id, d.channel, d.delivered_at, c.time_zone,
       coalesce(c.external_id = %s, FALSE)
FROM messaging_delivery d JOIN customers_customer c ON c.id = d.customer_id
WHERE d.state = {Delivery.State.DELIVERED.value} AND d.delivered_at IS NOT NULL AND d.channel = ANY(%s)
ORDER BY d.dispatch_id, d.id
"""
# An SMS tells nobody whether it was read.
SEEN_ON = (Channel.PUSH, Channel.WECHAT, Channel.INBOX, Channel.EMAIL)


def load_reactions() -> int:
    """Report that people read and clicked; return how many reports that were."""
    with connection.cursor() as cursor:
        cursor.execute(_ARRIVED, [NUMBER, [str(channel) for channel in SEEN_ON]])
        arrived = cursor.fetchall()
    now = timezone.now()
    receipts = [receipt for row in arrived for receipt in _reports(now, *row)]
    for start in range(0, len(receipts), AT_ONCE):
        record_receipts(receipts[start : start + AT_ONCE])
    return len(receipts)


def _reports(
    now: datetime,
    dispatch: int,
    delivery: int,
    customer: int,
    channel: str,
    at: datetime,
    zone: str,
    keen: bool,
) -> Iterator[Receipt]:
    person, message = Random(customer), Random(f"{dispatch}-{delivery}")
    habit = person.choices([share for _people, share in HABITS], [people for people, _share in HABITS])[0]
    hour = person.choices([hour for hour, _people in HOURS], [people for _hour, people in HOURS])[0]
    if message.random() * 100 > (95 if keen else habit):
        return
    local = at.astimezone(ZoneInfo(zone))
    seen = local.replace(hour=20 if keen else hour, minute=message.randrange(60))
    if seen <= local:
        seen += timedelta(days=1)
    if seen > now:
        # Too late for today: they looked when it arrived.
        seen = local + timedelta(seconds=message.randrange(20, 240))
    if seen > now:
        return
    kinds = [Kind.READ, Kind.CLICKED] if message.random() < CLICKED else [Kind.READ]
    if channel == Channel.EMAIL:
        # A mailbox does not say that a mail was read, only what was clicked in it.
        kinds = [Kind.CLICKED]
    for place, kind in enumerate(kinds):
        yield Receipt(
            dispatch_id=dispatch,
            delivery_id=delivery,
            kind=kind,
            at=seen + timedelta(seconds=8 * place),
            code="0" if kind == Kind.CLICKED else "",
        )


def load_own_events() -> int:
    """Tell the customers' events of everything the demo has sent; return how many that made."""
    now = timezone.now()
    return tell_own_events(start=now - SINCE, upto=now)
