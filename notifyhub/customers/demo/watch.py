"""Rules that watch the demo's events, and two alerts they raised."""

from datetime import datetime, timedelta

from django.utils import timezone, translation

from notifyhub.customers.demo.orders import FOOD
from notifyhub.customers.models import Customer, Event, EventBookmark, Order, WatchRule
from notifyhub.customers.services.events import EventIn, record_events
from notifyhub.customers.services.events.following import MARGIN
from notifyhub.customers.services.watch.examples import EXAMPLES, example
from notifyhub.customers.services.watch.following import BOOKMARK, load_rules, watch_at_once
from notifyhub.customers.services.watch.rules import activate_rule, create_rule
from notifyhub.staff.models import Team, User

# What the alerts are about: meals that were paid more than once; payments that failed at one merchant.
TWICE = 2
FAILED = 6


def load_watch() -> int:
    """Make the rules of the examples, tell what should not be, let them look; return how many findings."""
    owner = User.objects.filter(username="sunhao").first()
    team = Team.objects.filter(name="客服一组").first()
    for code in EXAMPLES:
        # The demo's people read and write Chinese.
        with translation.override("zh-hans"):
            facts = example(code) or {}
        rule = create_rule(data={**facts, "tell_team": team}, owner=owner)
        activate_rule(rule_id=rule.pk)
        # The demo's events were told before its rules were made.
        WatchRule.objects.filter(pk=rule.pk).update(defined_at=timezone.now() - timedelta(days=1))
    return _tell()


def _tell() -> int:
    now = timezone.now()
    meals = Order.objects.filter(line="food", state="completed", customer__external_id__isnull=False)
    recent = list(meals.select_related("customer").order_by("-placed_at")[:TWICE])
    told = [
        _event("order_paid", order.customer, order.number, now - timedelta(minutes=40 - n), n, order.merchant)
        for order in recent
        for n in (1, 14)
    ]
    people = Customer.objects.filter(external_id__isnull=False, state="active").order_by("-pk")[:FAILED]
    told += [
        _event("payment_failed", person, "", now - timedelta(minutes=30 - n), n, FOOD[2])
        for n, person in enumerate(people)
    ]
    record_events(told)
    EventBookmark.objects.update_or_create(name=BOOKMARK, defaults={"upto": now - MARGIN})
    WatchRule.objects.active().update(loaded=None)
    return _look(now)


def _look(now: datetime) -> int:
    found = load_rules(now=now)
    news: dict[str, list[int]] = {}
    for name, pk in Event.objects.filter(received_at__gte=now - MARGIN).values_list("name", "pk"):
        news.setdefault(name, []).append(pk)
    return found + watch_at_once(events=news)


def _event(name: str, person: Customer, order: str, at: datetime, n: int, merchant: str) -> EventIn:
    facts = {"merchant": merchant} | ({"reason": "provider_refused"} if name == "payment_failed" else {})
    return EventIn(
        message_id=f"demo-watch-{name}-{order or person.pk}-{n}",
        name=name,
        occurred_at=at,
        external_id=person.external_id or "",
        order_number=order,
        properties=facts,
        source="demo",
    )
