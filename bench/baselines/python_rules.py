"""Planning as it is usually written: load the customers by chunk, decide in Python, bulk_create.

Written as well as the style allows: only the columns that are needed, one query per table and chunk, sets
and dictionaries for the look-ups.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.models import Q
from django.utils import timezone

from bench.models import PlainDelivery
from notifyhub.customers.models import ContactPoint, Customer
from notifyhub.customers.models.consent import Consent, Hold, Suppression
from notifyhub.messaging.models import Delivery, Dispatch, SendingPolicy

CHUNK = 2_000
Reason = Delivery.Reason


def plan(dispatch: Dispatch, *, people: int) -> int:
    """Decide about the first `people` customers and write their rows; return how many were written."""
    policy = SendingPolicy.objects.get(message_class=dispatch.message_class)
    last, left, hashes = 0, people, set[bytes]()
    while left > 0:
        customers = list(
            Customer.objects.filter(state="active", pk__gt=last)
            .order_by("pk")
            .only("id", "time_zone", "merged_into_id")[: min(CHUNK, left)]
        )
        if not customers:
            break
        _plan_chunk(dispatch, policy, customers, hashes)
        last, left = customers[-1].pk, left - len(customers)
    return people - left


def _plan_chunk(
    dispatch: Dispatch, policy: SendingPolicy, customers: list[Customer], hashes: set[bytes]
) -> None:
    ids = [one.pk for one in customers]
    now = timezone.now()
    contacts = {
        one.customer_id: one
        for one in ContactPoint.objects.filter(customer_id__in=ids, kind="email", primary=True).only(
            "id", "customer_id", "valid", "value_hash"
        )
    }
    values = [bytes(one.value_hash) for one in contacts.values()]
    suppressed = {
        bytes(found)
        for found in Suppression.objects.in_force()
        .filter(kind="email", value_hash__in=values, scope__in=("all", "promotional"))
        .values_list("value_hash", flat=True)
    }
    consents = dict(
        Consent.objects.filter(customer_id__in=ids, topic=dispatch.topic, channel="email").values_list(
            "customer_id", "decision"
        )
    )
    topic = dispatch.topic.code if dispatch.topic else ""
    held = set(
        Hold.objects.in_force(now)
        .filter(customer_id__in=ids)
        .filter(
            Q(scope="promotions")
            | Q(scope="topic", scope_value=topic)
            | Q(scope="channel", scope_value="email")
        )
        .values_list("customer_id", flat=True)
    )
    today, week = _counters(ids, now)
    rows = []
    for customer in customers:
        contact = contacts.get(customer.pk)
        value = bytes(contact.value_hash) if contact else b""
        reason = ""
        if contact is None:
            reason = Reason.NO_CONTACT
        elif not contact.valid:
            reason = Reason.INVALID_CONTACT
        elif value in suppressed:
            reason = Reason.SUPPRESSED
        elif consents.get(customer.pk) == "out":
            reason = Reason.OPTED_OUT
        elif customer.pk not in consents:
            reason = Reason.NO_CONSENT
        elif customer.pk in held:
            reason = Reason.HOLD
        elif _over(policy.cap_day, today[customer.pk]) or _over(policy.cap_week, week[customer.pk]):
            reason = "cap_day"
        elif value in hashes:
            reason = Reason.DUPLICATE_CONTACT
        else:
            hashes.add(value)
        rows.append(
            PlainDelivery(
                dispatch_id=dispatch.pk,
                customer_id=customer.pk,
                contact_id=contact.pk if contact else None,
                dedup_key=customer.pk,
                channel="email",
                state=Delivery.State.SKIPPED if reason else Delivery.State.PLANNED,
                reason=reason,
                send_at=dispatch.send_at,
                settled_at=now if reason else None,
            )
        )
    PlainDelivery.objects.bulk_create(rows, batch_size=CHUNK)


def _over(cap: int | None, used: int) -> bool:
    return cap is not None and used >= cap


def _counters(ids: Iterable[int], now: datetime.datetime) -> tuple[dict[int, int], dict[int, int]]:
    from notifyhub.messaging.models import SendCount

    today: dict[int, int] = defaultdict(int)
    week: dict[int, int] = defaultdict(int)
    rows: Any = SendCount.objects.filter(
        customer_id__in=ids, respect=_RESPECT, day__gt=now.date() - datetime.timedelta(days=7)
    )
    for customer_id, day, used in rows.values_list("customer_id", "day", "used"):
        week[customer_id] += used
        if day == now.date():
            today[customer_id] += used
    return today, week


def _respect(text: str) -> int:
    from hashlib import md5

    return int.from_bytes(md5(text.encode()).digest()[:8], "big", signed=True)


_RESPECT = _respect("cap:promotional:email")
