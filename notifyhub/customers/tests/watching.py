"""What the tests of watch rules share."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from notifyhub.customers.models import Event, EventBookmark, WatchRule
from notifyhub.customers.services.events import EventIn, record_events
from notifyhub.customers.services.watch.following import BOOKMARK, load_rules, watch_at_once
from notifyhub.customers.services.watch.rules import activate_rule, create_rule


def make_rule(**facts: Any) -> WatchRule:
    """Return a rule that watches."""
    plain = {"name": "Rule", "minutes": 10, "scope": "order", "tell_role": "service_lead", "count": 2}
    rule = create_rule(data={**plain, **facts}, owner=None)
    activate_rule(rule_id=rule.pk)
    EventBookmark.objects.get_or_create(name=BOOKMARK, defaults={"upto": timezone.now()})
    load_rules(now=timezone.now())
    rule.refresh_from_db()
    return rule


def tell(name: str, at: datetime, order: str = "O1", who: str = "E1", key: str = "", **facts: Any) -> EventIn:
    """Return one event."""
    return EventIn(
        message_id=key or f"{name}:{order}:{who}:{at.isoformat()}",
        name=name,
        occurred_at=at,
        external_id=who,
        order_number=order,
        properties=facts,
    )


def see(*events: EventIn, now: datetime | None = None) -> int:
    """Take these events in and let the rules look at them at once; return how many findings are new."""
    record_events(events)
    news: dict[str, list[int]] = {}
    ids = [event.message_id for event in events]
    for name, pk in Event.objects.filter(message_id__in=ids).values_list("name", "pk"):
        news.setdefault(name, []).append(pk)
    return watch_at_once(events=news, now=now or timezone.now())


def charge_twice(orders: int = 1, minutes: float = 5) -> None:
    """Tell of as many orders that were each paid twice, that long ago."""
    at = timezone.now() - timedelta(minutes=minutes)
    see(
        *(
            tell("paid", at + timedelta(seconds=second), f"O{n}", f"E{n}")
            for n in range(orders)
            for second in (0, 30)
        )
    )
