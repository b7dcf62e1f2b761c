"""Short ways to set limits, to make it night somewhere, and to see that the counters are the ledger."""

from collections import Counter
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from notifyhub.messaging.engine.quiet import zone_of
from notifyhub.messaging.engine.respects import cap_respect
from notifyhub.messaging.models import (
    ChannelPolicy,
    Delivery,
    DeliveryEvent,
    Dispatch,
    SendCount,
    SendDay,
    SendingPolicy,
)

State = Delivery.State
COUNTED = (State.SENT, State.DELIVERED, State.UNKNOWN)


def limit(message_class: str = "promotional", channel: str = "", **fields: Any) -> None:
    """Set what the policy of a class says, for one channel if it is named."""
    if channel:
        policy = SendingPolicy.objects.get(message_class=message_class)
        ChannelPolicy.objects.update_or_create(policy=policy, channel=channel, defaults=fields)
    else:
        SendingPolicy.objects.filter(message_class=message_class).update(**fields)


def night(zone: str = "Asia/Shanghai", *, hours: int = 2) -> dict[str, time]:
    """Return quiet hours that began an hour ago in `zone` and end in `hours`."""
    now = timezone.now().astimezone(zone_of(zone)).replace(second=0, microsecond=0)
    return {
        "quiet_from": (now - timedelta(hours=1)).time(),
        "quiet_until": (now + timedelta(hours=hours)).time(),
    }


def today(zone: str = "Asia/Shanghai") -> date:
    """Return the day it is in `zone`."""
    return timezone.now().astimezone(zone_of(zone)).date()


def count_before(
    customer_id: int,
    respect: int,
    *,
    used: int = 1,
    days: int = 0,
    at: datetime | None = None,
    subject: int = 0,
) -> None:
    """Have a customer counted `days` ago, about a `subject` if that is given."""
    day = today() - timedelta(days=days)
    SendDay.objects.get_or_create(
        customer_id=customer_id, subject=subject, day=day, defaults={"respects": [], "used": [], "at": []}
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE messaging_sendday SET respects = respects || %s::bigint, used = used || %s::smallint, "
            "at = at || %s::timestamptz WHERE customer_id = %s AND subject = %s AND day = %s",
            [respect, used, at or timezone.now() - timedelta(days=days), customer_id, subject, day],
        )


def used(customer_id: int, respect: int) -> int:
    """Return how often a customer is counted in one respect, on all days."""
    return sum(
        SendCount.objects.filter(customer_id=customer_id, respect=respect).values_list("used", flat=True)
    )


def found(dispatch: Dispatch, kind: str = "skipped") -> list[tuple[str, str]]:
    """Return (code, what was found) of the events of that kind."""
    events = DeliveryEvent.objects.filter(dispatch_id=dispatch.pk, kind=kind).order_by("id")
    return list(events.values_list("code", "detail"))


def assert_counters_are_the_ledger(message_class: str = "promotional", channel: str = "") -> None:
    """Fail unless the cap's counters are the messages that went out or may have, customer by customer."""
    ledger: Counter[int] = Counter()
    classes = dict(Dispatch.objects.values_list("pk", "message_class"))
    for dispatch_id, customer, state, where in Delivery.objects.values_list(
        "dispatch_id", "customer_id", "state", "channel"
    ):
        if state in COUNTED and classes[dispatch_id] == message_class and channel in ("", where):
            ledger[customer] += 1
    counters: Counter[int] = Counter()
    rows = SendCount.objects.filter(respect=cap_respect(message_class, channel))
    for customer, number in rows.values_list("customer_id", "used"):
        counters[customer] += number
    wrong = {one: (counters[one], ledger[one]) for one in counters | ledger if counters[one] != ledger[one]}
    assert not wrong, f"customer: (counted, in the ledger) {wrong}"


def counter_rows() -> int:
    """Return how many counters there are."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM messaging_sendcount")
        return int(cursor.fetchone()[0])
