"""What Prometheus reads: gauges and counters from cheap indexed queries and from what the tick has counted.

All series are of the whole house, so any web process may be scraped, and one is enough.
"""

import threading
import time
from collections.abc import Iterator
from typing import Any

from django.db import connection
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.services.doubt import messages_in_doubt
from notifyhub.messaging.services.halts import halts_in_force
from notifyhub.messaging.services.punctuality import BOUNDS, punctuality_lines

# A scrape of a moment ago is good enough for the next one, whoever asks.
CACHE_SECONDS = 5.0

_QUEUE = """
SELECT b.priority, j.message_class,
       coalesce(sum(CASE WHEN b.ids IS NULL THEN b.hi - b.cursor ELSE cardinality(b.ids) END), 0)::bigint,
       coalesce(extract(epoch FROM statement_timestamp() - min(b.not_before)), 0)::float8
FROM messaging_batch b JOIN messaging_dispatch j ON j.id = b.dispatch_id
WHERE b.state = 0 AND b.not_before <= statement_timestamp() AND j.state IN ('running', 'cancelling')
GROUP BY b.priority, j.message_class
"""
# Samples have no class.
_TALLY = """
SELECT coalesce(a.name, ''), coalesce(a.channel, ''), t.message_class, t.kind, sum(t.count)::bigint
FROM messaging_sendtally t LEFT JOIN messaging_provideraccount a ON a.id = t.account_id
WHERE t.message_class <> '' GROUP BY 1, 2, 3, 4
"""
_ACCOUNTS = """
SELECT a.name, a.channel, coalesce(g.circuit, 'closed'), a.rate_per_second,
       coalesce(least(a.rate_per_second, g.tokens + a.rate_per_second *
           extract(epoch FROM statement_timestamp() - g.refilled_at)), a.rate_per_second)::float8
FROM messaging_provideraccount a LEFT JOIN messaging_accountgate g ON g.account_id = a.id WHERE a.active
"""
_LEASES = """
SELECT count(*), count(*) FILTER (WHERE lease_until < statement_timestamp())
FROM messaging_batch WHERE state = 1
"""
_OPEN = """
SELECT coalesce(sum(planned), 0)::bigint, coalesce(sum(sent), 0)::bigint, coalesce(sum(delivered), 0)::bigint,
       coalesce(sum(failed), 0)::bigint, coalesce(sum(skipped), 0)::bigint,
       coalesce(sum(unknown), 0)::bigint, coalesce(sum(expired), 0)::bigint,
       coalesce(sum(cancelled), 0)::bigint, count(*)
FROM messaging_dispatch WHERE state NOT IN ('finished', 'cancelled')
"""
_TICKS = """
SELECT name, extract(epoch FROM statement_timestamp() - finished_at)::float8, took_ms, error <> ''
FROM staff_ticklease WHERE finished_at IS NOT NULL
"""
_BEATS = "SELECT kind, name, extract(epoch FROM statement_timestamp() - at)::float8 FROM staff_nodebeat"
CIRCUITS = ("closed", "open", "half_open")


def _rows(sql: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def _gauge(name: str, words: str, labels: tuple[str, ...], rows: list[Any]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"notifyhub_{name}", words, labels=labels)
    for *values, number in rows:
        family.add_metric([str(value) for value in values], float(number))
    return family


def _queues() -> Iterator[Metric]:
    lines = [
        (Priority(priority).name.lower(), message_class, depth, age)
        for priority, message_class, depth, age in _rows(_QUEUE)
    ]
    labels = ("queue", "message_class")
    yield _gauge("queue_depth", "Messages that are due and wait.", labels, [one[:3] for one in lines])
    yield _gauge(
        "oldest_due_seconds",
        "How long the oldest due batch has waited.",
        labels,
        [(one[0], one[1], one[3]) for one in lines],
    )
    (leased, expired), *_more = _rows(_LEASES)
    yield _gauge("leased_batches", "Batches in the hands of workers.", (), [(leased,)])
    yield _gauge("expired_leases", "Leases that ran out and wait for the tick.", (), [(expired,)])


def _messages() -> Iterator[Metric]:
    labels = ("account", "channel", "message_class", "kind")
    events = CounterMetricFamily("notifyhub_messages", "What became of messages, by event.", labels=labels)
    for *values, count in _rows(_TALLY):
        events.add_metric(values, count)
    yield events
    *counts, dispatches = _rows(_OPEN)[0]
    names = ("planned", "sent", "delivered", "failed", "skipped", "unknown", "expired", "cancelled")
    yield _gauge(
        "open_dispatch_messages",
        "Messages of dispatches that have not ended, by state; planned is all of them.",
        ("state",),
        list(zip(names, counts, strict=True)),
    )
    yield _gauge("open_dispatches", "Dispatches that have not ended.", (), [(dispatches,)])
    yield _gauge(
        "unknown_messages", "Messages of the last 7 days in doubt.", (), [(messages_in_doubt().count,)]
    )


def _accounts() -> Iterator[Metric]:
    rows = _rows(_ACCOUNTS)
    labels = ("account", "channel")
    yield _gauge(
        "circuit",
        "1 for the state that the account's circuit is in.",
        (*labels, "state"),
        [(name, channel, one, one == now) for name, channel, now, *_ in rows for one in CIRCUITS],
    )
    yield _gauge("rate_limit", "Messages a second.", labels, [(row[0], row[1], row[3]) for row in rows])
    yield _gauge(
        "bucket_tokens", "Messages it may take now.", labels, [(row[0], row[1], row[4]) for row in rows]
    )


def _machinery() -> Iterator[Metric]:
    halts = [(one.scope, one.value, 1) for one in halts_in_force()]
    yield _gauge("halt", "What stands still by order.", ("scope", "value"), halts)
    ticks = _rows(_TICKS)
    yield _gauge("tick_age_seconds", "Since the tick last ended.", ("tick",), [row[:2] for row in ticks])
    yield _gauge(
        "tick_took_seconds", "How long it took.", ("tick",), [(row[0], row[2] / 1000) for row in ticks]
    )
    yield _gauge("tick_failed", "1 when its last run failed.", ("tick",), [(row[0], row[3]) for row in ticks])
    yield _gauge("sign_of_life_age_seconds", "Beat, canaries, workers.", ("kind", "name"), _rows(_BEATS))


def _punctuality() -> Iterator[Metric]:
    lines = punctuality_lines(hours=24 * 36500)
    waits = HistogramMetricFamily(
        "notifyhub_wait_seconds", "From due, or accepted if later, to handed over.", labels=["message_class"]
    )
    late = CounterMetricFamily("notifyhub_late", "Late messages by cause.", labels=["message_class", "cause"])
    on_time = CounterMetricFamily("notifyhub_on_time", "Messages on time.", labels=["message_class"])
    for line in lines:
        so_far, buckets = 0, []
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), line.buckets, strict=True):
            so_far += count
            buckets.append((bound, so_far))
        # The sum is not kept; the buckets are what alarms are built on.
        waits.add_metric([line.message_class], buckets=buckets, sum_value=None)
        on_time.add_metric([line.message_class], line.on_time)
        for cause, count in line.causes.items():
            late.add_metric([line.message_class, cause], count)
    yield from (waits, late, on_time)
    share = [
        (line.message_class, line.share) for line in punctuality_lines(hours=2) if line.share is not None
    ]
    yield _gauge("on_time_share", "Share on time in the last two hours.", ("message_class",), share)


class HouseCollector:
    """Collects on scrape."""

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        for part in (_queues, _messages, _accounts, _machinery, _punctuality):
            yield from part()


_lock = threading.Lock()
_kept: tuple[float, bytes] = (float("-inf"), b"")


def house_metrics(*, fresh: bool = False) -> bytes:
    """Return the house's own series as text; at most a few seconds old, and made once for many who ask."""
    global _kept
    with _lock:
        made, text = _kept
        if fresh or time.monotonic() - made > CACHE_SECONDS:
            registry = CollectorRegistry(auto_describe=False)
            registry.register(HouseCollector())
            text = generate_latest(registry)
            _kept = (time.monotonic(), text)
        return text
