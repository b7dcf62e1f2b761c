"""Following the events: rules begin, orders' dates move, and what is done ends, for those whom news is about."""

from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from notifyhub.customers.services.events.following import Span, follow_events
from notifyhub.reminders.models import ReminderRule, RuleVersion
from notifyhub.reminders.services import goals, stopping
from notifyhub.reminders.services.locks import expect_many, lock_rule
from notifyhub.reminders.services.occasions import begin_events
from notifyhub.reminders.services.planning import plan_rule, versions_of
from notifyhub.reminders.services.occasions.rows import write_rows

BOOKMARK = "reminders"
# Spans of events dealt with in one tick; a flood leaves the rest to the next.
SPANS = 20
_SPAN = "e.received_at > %(after)s AND e.received_at <= %(upto)s"

_NAMES = f"SELECT DISTINCT e.name FROM customers_event e WHERE {_SPAN}"
# Whom the news is about, if anything of theirs runs or ran lately, or an order of theirs was told of.
_PEOPLE = f"""
SELECT DISTINCT e.customer_id, e.order_number <> '' FROM customers_event e WHERE {_SPAN}
"""
# An event may name an order before anybody has told of it.
_LINK = f"""
UPDATE reminders_occasion o SET order_id = ord.id
FROM (SELECT DISTINCT e.order_number FROM customers_event e WHERE {_SPAN} AND e.order_number <> '') n
JOIN customers_order ord ON ord.number = n.order_number
WHERE o.subject_ref = 'order:' || n.order_number AND o.order_id IS NULL AND o.customer_id = ord.customer_id
"""


def follow_news(*, now: datetime | None = None) -> int:
    """Deal with the events that came since, each once; return how many due rows changed."""
    changed = 0
    for _span in range(SPANS):
        done: list[int] = []
        more = follow_events(BOOKMARK, lambda span, done=done: done.append(_hear(span, now or timezone.now())))
        changed += sum(done)
        if not more:
            break
    return changed


def _hear(span: Span, now: datetime) -> int:
    params: dict[str, Any] = {"after": span.after, "upto": span.upto}
    expect_many()
    with connection.cursor() as cursor:
        cursor.execute(_NAMES, params)
        names = {row[0] for row in cursor.fetchall()}
        if not names:
            return 0
        cursor.execute(_LINK, params)
        cursor.execute(_PEOPLE, params)
        rows = cursor.fetchall()
    people = sorted({row[0] for row in rows})
    buyers = sorted({row[0] for row in rows if row[1]})
    changed = 0
    active = list(
        ReminderRule.objects.filter(state=ReminderRule.State.ACTIVE, live__isnull=False)
        .select_related("live")
        .order_by("pk")
    )
    for rule in active:
        if rule.live.start == RuleVersion.Start.EVENT and rule.live.event_name in names:
            changed += start_rule(rule, now=now, which=_SPAN, params=params)[0]
    theirs, them = "o.customer_id = ANY(%(people)s)", {"people": people}
    goals.mark_done(theirs, them, now=now)
    changed += stopping.end_stopped(theirs, them, now=now)
    if buyers:
        for rule in active:
            if rule.live.start == RuleVersion.Start.ORDER and rule.planned_at is not None:
                changed += plan_rule(rule, now=now, customer_ids=buyers)
    return changed


def start_rule(
    rule: ReminderRule, *, now: datetime, which: str, params: dict[str, Any]
) -> tuple[int, list[int]]:
    """Begin what the events picked by `which` start; return how many rows changed, and the occasions."""
    with transaction.atomic():
        expect_many()
        lock_rule(rule.pk)
        versions = versions_of(rule)
        live, steps = next(pair for pair in versions if pair[0].pk == rule.live_id)
        begun = begin_events(rule, live, steps, now=now, which=which, params=params)
        if not begun:
            return 0, []
        picked, those = "o.id = ANY(%(begun)s)", {"begun": begun}
        # One that was restarted may still be on an older version.
        changed = sum(
            write_rows(rule, version, lines, now=now, picked=picked, params=those)
            for version, lines in versions
        )
        stopping.close_through(picked, those, now=now)
        return changed, begun
