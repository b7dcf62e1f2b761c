"""Rules read the events as they come in, each event once, and judge what it can have changed."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from notifyhub.customers.models import EventBookmark, WatchRule, WatchSighting
from notifyhub.customers.services.events.following import Span, follow_events
from notifyhub.customers.services.watch import sql
from notifyhub.customers.services.watch.alerts import gather_findings

BOOKMARK = "watch"
# What should have followed gets so long to arrive after its time is over.
SETTLE = timedelta(seconds=30)
# Portions of one run; the next run goes on.
PORTIONS = 50
DUE = 5_000

Touched = Sequence[tuple[int, str, datetime, datetime]]


def watch_events(*, now: datetime | None = None) -> int:
    """Read what came in, look at what should have followed by now; return how many findings are new.

    Any number of these may run at once: they wait for each other at the bookmark.
    """
    now = now or timezone.now()
    found = load_rules(now=now)

    def handle(span: Span) -> None:
        nonlocal found
        where = "e.received_at > %(after)s AND e.received_at <= %(upto)s"
        touched = _see(sql.RULES, where, now, {"after": span.after, "upto": span.upto})
        found += judge_keys(touched, now=now)

    for _portion in range(PORTIONS):
        if not follow_events(BOOKMARK, handle):
            break
    return found + judge_due(now=now)


def watch_at_once(*, events: dict[str, list[int]], now: datetime | None = None) -> int:
    """Look at these events before their turn; return how many findings are new.

    Whatever is missed here, because another run holds the bookmark or an event of their company has not
    committed yet, is seen when the bookmark passes them.
    """
    now = now or timezone.now()
    where = "e.received_at > %(after)s AND e.name = ANY (%(names)s) AND e.id = ANY (%(ids)s)"
    values: dict[str, Any] = {
        "after": now - timedelta(hours=1),
        "names": list(events),
        "ids": [pk for ids in events.values() for pk in ids],
    }
    with transaction.atomic():
        held = EventBookmark.objects.select_for_update(skip_locked=True).filter(name=BOOKMARK)
        if held.first() is None:
            return 0
        return judge_keys(_see(sql.RULES, where, now, values), now=now)


def load_rules(*, now: datetime) -> int:
    """Make the sightings of rules that are new or changed; return how many findings that brings.

    They see what came in within their window before, and judge what came since they were defined.
    """
    found = 0
    stale = WatchRule.objects.active().exclude(loaded=F("definition"))
    for rule_id in list(stale.values_list("pk", flat=True)):
        with transaction.atomic():
            mark, _made = EventBookmark.objects.get_or_create(
                name=BOOKMARK, defaults={"upto": timezone.now()}
            )
            mark = EventBookmark.objects.select_for_update().get(name=BOOKMARK)
            rule = stale.select_for_update().filter(pk=rule_id).first()
            if rule is None:
                continue
            WatchSighting.objects.filter(rule=rule).delete()
            WatchRule.objects.filter(pk=rule_id).update(loaded=F("definition"))
            where = """r.id = %(rule)s AND e.received_at <= %(upto)s AND e.received_at > %(since)s
                AND e.name = ANY (%(names)s)"""
            values = {
                "rule": rule_id,
                "upto": mark.upto,
                "since": mark.upto - rule.window - timedelta(days=1),
                "names": [*rule.first, *rule.second, *rule.unless],
            }
            found += judge_keys(_see(sql.RULES, where, now, values), now=now)
    return found


def judge_due(*, now: datetime) -> int:
    """Judge the events whose company should have come by `now`; return how many findings are new."""
    found = 0
    while True:
        with transaction.atomic():
            EventBookmark.objects.select_for_update().filter(name=BOOKMARK).first()
            due = WatchSighting.objects.filter(due_at__lte=now).order_by("due_at")[:DUE]
            rows = list(due.values_list("pk", "rule_id", "key", "occurred_at"))
            WatchSighting.objects.filter(pk__in=[row[0] for row in rows]).update(due_at=None)
            keys: dict[tuple[int, str], list[datetime]] = defaultdict(list)
            for _pk, rule_id, key, at in rows:
                keys[rule_id, key].append(at)
            found += judge_keys(
                [(rule_id, key, min(times), max(times)) for (rule_id, key), times in keys.items()], now=now
            )
        if len(rows) < DUE:
            return found


def judge_keys(touched: Touched, *, now: datetime) -> int:
    """Judge the keys of each rule over the time told; return how many findings are new."""
    by_rule: dict[int, list[tuple[str, datetime, datetime]]] = defaultdict(list)
    for rule_id, key, low, high in touched:
        by_rule[rule_id].append((key, low, high))
    found = 0
    for rule in WatchRule.objects.filter(pk__in=by_rule).select_related("tell_team"):
        keys, lows, highs = zip(*by_rule[rule.pk], strict=True)
        values: dict[str, Any] = {
            "rule": rule.pk,
            "minutes": rule.minutes,
            "count": rule.count,
            "keys": list(keys),
            "lows": list(lows),
            "highs": list(highs),
        }
        with connection.cursor() as cursor:
            cursor.execute(sql.judge(rule.kind), values)
            fresh, back, gone = cursor.fetchone()
        found += fresh
        if fresh or gone:
            gather_findings(rule=rule, changed=[*(back or []), *(gone or [])], now=now)
    return found


def _see(rules: str, where: str, now: datetime, values: dict[str, Any]) -> Touched:
    with connection.cursor() as cursor:
        cursor.execute(sql.see(rules, where), {**values, "now": now, "settle": SETTLE.total_seconds()})
        return cursor.fetchall()
