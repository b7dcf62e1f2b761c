"""Following the events: rules begin, orders' dates move, what is done ends, for those whom news is about."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from notifyhub.customers.services.events.following import Span, follow_events
from notifyhub.reminders.models import ReminderRule, RuleVersion
from notifyhub.reminders.services import goals, stopping
from notifyhub.reminders.services.following.starting import hand_over_at_once, start_rule
from notifyhub.reminders.services.locks import expect_many
from notifyhub.reminders.services.planning import plan_rule

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
    """Deal with the events that came since, each once; return how many due rows changed.

    What begins here although it should have gone at once, for its doorbell was lost or slow, goes now.
    """
    changed = 0
    for _span in range(SPANS):
        news = _News(now=now or timezone.now())
        more = follow_events(BOOKMARK, news.hear)
        changed += news.changed
        for rule, begun in news.begun:
            hand_over_at_once(rule, begun, now=news.now)
        if not more:
            break
    return changed


@dataclass
class _News:
    """One span of events: what it changed, and what it began."""

    now: datetime
    changed: int = 0
    begun: list[tuple[ReminderRule, list[int]]] = field(default_factory=list)

    def hear(self, span: Span) -> None:
        """Deal with the span, in the transaction that moves the bookmark."""
        params: dict[str, Any] = {"after": span.after, "upto": span.upto}
        expect_many()
        with connection.cursor() as cursor:
            cursor.execute(_NAMES, params)
            names = {row[0] for row in cursor.fetchall()}
            if not names:
                return
            cursor.execute(_LINK, params)
            cursor.execute(_PEOPLE, params)
            rows = cursor.fetchall()
        active = list(
            ReminderRule.objects.filter(state=ReminderRule.State.ACTIVE, live__isnull=False)
            .select_related("live")
            .order_by("pk")
        )
        for rule in active:
            if rule.live and rule.live.start == RuleVersion.Start.EVENT and rule.live.event_name in names:
                changed, begun = start_rule(rule, now=self.now, which=_SPAN, params=params)
                self.changed += changed
                self.begun.append((rule, begun))
        self._move(
            active, people=sorted({row[0] for row in rows}), buyers=sorted({r[0] for r in rows if r[1]})
        )

    def _move(self, active: list[ReminderRule], *, people: list[int], buyers: list[int]) -> None:
        theirs, them = "o.customer_id = ANY(%(people)s)", {"people": people}
        goals.mark_done(theirs, them, now=self.now)
        self.changed += stopping.end_stopped(theirs, them, now=self.now)
        for rule in active if buyers else ():
            if rule.live and rule.live.start == RuleVersion.Start.ORDER and rule.planned_at is not None:
                self.changed += plan_rule(rule, now=self.now, customer_ids=buyers)
