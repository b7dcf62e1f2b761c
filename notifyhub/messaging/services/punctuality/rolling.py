"""Counting each event of the engine once: a bookmark moves in the transaction that counted up to it."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notifyhub.messaging.models import Bookmark, Punctuality, SendTally
from notifyhub.messaging.services.punctuality import sql

# Waiting times in seconds, spaced so that each bound is about twice the one before.
BOUNDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200)
CAUSES = {
    "retry": _("tried again after a failure"),
    "paused": _("paused by a person"),
    "rate": _("rate limit"),
    "circuit": _("provider did not answer"),
    "worker_died": _("a worker died"),
    "queue": _("waited for a free worker"),
}

BOOKMARK = "events"
# A fresh bookmark starts here: older events say nothing about today.
LOOK_BACK = timedelta(days=1)
# One transaction reads at most so much; at 7,000 messages a second that is 420,000 events.
STEP = timedelta(minutes=1)
STEPS = 30

FLOOR = datetime(1970, 1, 1, tzinfo=UTC)
MINUTES_FOR = timedelta(hours=3)
HOURS_FOR = timedelta(days=3)
# Longer than any page looks back.
PUNCTUALITY_FOR = timedelta(days=90)


def roll_up(*, upto: datetime | None = None) -> int:
    """Count what happened since the last time, and how punctual it was; return how many messages went.

    Harmless to repeat and to interrupt: what a bookmark has passed is not read again.
    """
    sent = 0
    for _step in range(STEPS):
        counted, more = _roll_one(upto)
        sent += counted
        if not more:
            break
    with connection.cursor() as cursor:
        cursor.execute(sql.SAMPLE_WAITING)
        cursor.execute(sql.SAMPLE_CIRCUITS)
    return sent


@transaction.atomic
def _roll_one(upto: datetime | None) -> tuple[int, bool]:
    Bookmark.objects.get_or_create(name=BOOKMARK, defaults={"upto": timezone.now() - LOOK_BACK})
    mark = Bookmark.objects.select_for_update().get(name=BOOKMARK)
    with connection.cursor() as cursor:
        if upto is None:
            cursor.execute(sql.HORIZON)
            upto = cursor.fetchone()[0]
        cursor.execute(sql.FIRST, [mark.upto])
        first = cursor.fetchone()[0]
        if first is None or first > upto:
            return 0, False
        # The first event lies just behind the bookmark, or behind a gap in which nothing happened.
        end = min(upto, first + STEP)
        span: dict[str, Any] = {"after": mark.upto, "upto": end, "kinds": list(sql.KINDS)}
        cursor.execute(sql.TALLY, span)
        cursor.execute(sql.WAITS, {**span, "bounds": [float(bound) for bound in BOUNDS]})
        rows = cursor.fetchall()
        _keep_waits(cursor, rows)
    sent = _add(rows)
    mark.upto = end
    mark.save(update_fields=["upto"])
    return sent, end < upto


def _keep_waits(cursor: Any, rows: list[Any]) -> None:
    """Add grouped waits to the minutes of their accounts."""
    found: Counter[tuple[datetime, int, str]] = Counter()
    for _class, _hour, bucket, _cause, count, account, minute in rows:
        if account:
            found[minute, account, SendTally.WAITED[bucket]] += count
    if found:
        minutes, accounts, kinds = zip(*found, strict=True)
        cursor.execute(
            sql.KEEP_WAITS,
            {
                "minutes": list(minutes),
                "accounts": list(accounts),
                "kinds": list(kinds),
                "counts": list(found.values()),
            },
        )


def _add(rows: list[Any]) -> int:
    """Add grouped waits (class, hour, bucket, cause, messages, …) to their hours; return the messages."""
    hours: dict[tuple[str, datetime], list[Any]] = defaultdict(list)
    for row in rows:
        hours[row[0], row[1]].append(row)
    for (message_class, hour), group in hours.items():
        line = _line(message_class, hour)
        for _class, _hour, bucket, cause, count, _account, _minute in group:
            line.buckets[bucket] += count
            if cause:
                line.late += count
                line.causes[cause] = line.causes.get(cause, 0) + count
            else:
                line.on_time += count
        line.save()
    return sum(row[4] for row in rows)


def _line(message_class: str, hour: datetime) -> Punctuality:
    Punctuality.objects.get_or_create(message_class=message_class, hour=hour)
    line = Punctuality.objects.select_for_update().get(message_class=message_class, hour=hour)
    line.buckets = line.buckets or [0] * (len(BOUNDS) + 1)
    return line


def fold_tallies(*, now: datetime | None = None) -> int:
    """Fold minutes into hours and old hours into one row, so that sums never shrink; return how many rows
    were made."""
    now = now or timezone.now()
    made = 0
    with transaction.atomic(), connection.cursor() as cursor:
        for unit, keep in (("hour", MINUTES_FOR), ("millennium", HOURS_FOR)):
            edge = (now - keep).replace(minute=0, second=0, microsecond=0)
            values: dict[str, Any] = {
                "edge": edge,
                "floor": FLOOR,
                "unit": unit,
                "samples": list(SendTally.SAMPLES),
            }
            cursor.execute(sql.FOLD, values)
            made += cursor.rowcount
    return made + _fold_punctuality(now - PUNCTUALITY_FOR)


@transaction.atomic
def _fold_punctuality(edge: datetime) -> int:
    """Add hours older than `edge` to one line a class, so that the metrics read a bounded number of rows."""
    old = list(Punctuality.objects.select_for_update().filter(hour__lt=edge, hour__gt=FLOOR)[:1000])
    for row in old:
        line = _line(row.message_class, FLOOR)
        line.on_time += row.on_time
        line.late += row.late
        line.buckets = [one + two for one, two in zip(line.buckets, row.buckets, strict=True)]
        for cause, count in row.causes.items():
            line.causes[cause] = line.causes.get(cause, 0) + count
        line.save()
    Punctuality.objects.filter(pk__in=[row.pk for row in old]).delete()
    return len(old)
