"""Reading the punctuality of a span of hours back: share, median, 95th percentile, causes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from notifyhub.customers.models.consent import MessageClass
from notifyhub.messaging.models import Punctuality, SendingPolicy
from notifyhub.messaging.services.punctuality.rolling import BOUNDS


def percentile(buckets: Sequence[int], share: float) -> float | None:
    """Return the waiting time in seconds that this share did not exceed, estimated within its bucket; None
    if nothing is in the buckets, which are counts by BOUNDS."""
    wanted, seen = share * sum(buckets), 0
    for place, count in enumerate(buckets):
        if count and seen + count >= wanted:
            low = BOUNDS[place - 1] if place else 0.0
            high = BOUNDS[place] if place < len(BOUNDS) else 2 * BOUNDS[-1]
            return low + (high - low) * (wanted - seen) / count
        seen += count
    return None


@dataclass(kw_only=True)
class ClassLine:
    """How punctual one class was."""

    message_class: str
    label: str
    target: int
    on_time: int = 0
    late: int = 0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    causes: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """How many were handed over."""
        return self.on_time + self.late

    @property
    def share(self) -> float | None:
        """The share that was on time; None while there was nothing."""
        return self.on_time / self.total if self.total else None

    def percentile(self, share: float) -> float | None:
        """Return the waiting time in seconds that this share did not exceed; None while there was nothing."""
        return percentile(self.buckets, share)

    @property
    def p50(self) -> float | None:
        """The median waiting time in seconds."""
        return self.percentile(0.5)

    @property
    def p95(self) -> float | None:
        """The waiting time in seconds that 95 of 100 did not exceed."""
        return self.percentile(0.95)


def punctuality_lines(*, hours: int = 24, now: datetime | None = None) -> list[ClassLine]:
    """Return a line for every class over the last hours, the most urgent class first; two queries."""
    targets = dict(SendingPolicy.objects.values_list("message_class", "target_seconds"))
    lines = {
        one.value: ClassLine(
            message_class=one.value, label=str(one.label), target=targets.get(one.value, 600)
        )
        for one in (
            MessageClass.TRANSACTIONAL,
            MessageClass.SERVICE,
            MessageClass.PROMOTIONAL,
            MessageClass.INFORMATIONAL,
        )
    }
    since = (now or timezone.now()) - timedelta(hours=hours)
    rows: Any = Punctuality.objects.filter(hour__gt=since)
    for row in rows:
        line = lines[row.message_class]
        line.on_time += row.on_time
        line.late += row.late
        line.causes.update(row.causes)
        for place, count in enumerate(row.buckets):
            line.buckets[place] += count
    return list(lines.values())
