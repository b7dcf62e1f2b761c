"""Clicks and openings on their way into the ledger: kept for a moment, written together.

A busy minute after a campaign brings thousands of clicks a second. Each is worth an event and none is worth
a transaction, so a process writes those of a second at once. A process that is killed loses the clicks of
its last second; no message and no unsubscribe goes this way.
"""

import atexit
import logging
import os
import threading
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from notifyhub.messaging.models import Delivery, DeliveryEvent
from notifyhub.messaging.services.receipts import Receipt, record_receipts

logger = logging.getLogger(__name__)
AT_ONCE = 500
MOST_KEPT = 50_000
# Nobody reads and decides so fast after the hand-over: a scanner of the mailbox provider did.
TOO_SOON = timedelta(seconds=2)
# Nobody follows so many links of one message within a second.
BURST = 3
AUTOMATIC = "automatic"


@dataclass(frozen=True, slots=True)
class Hit:
    """One request for a link or the counting image. `automatic`: its sender calls itself a robot."""

    dispatch_id: int
    delivery_id: int
    at: datetime
    link: int | None = None
    automatic: bool = False

    @property
    def key(self) -> tuple[int, int]:
        """Return the message it is about."""
        return self.dispatch_id, self.delivery_id


class Buffer:
    """What this process has not written yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._hits: list[Hit] = []
        self._thread: threading.Thread | None = None
        self._pid = 0

    def add(self, hit: Hit) -> None:
        """Keep a hit; it is written within TRACKING_SECONDS, at once if that is 0."""
        with self._lock:
            if len(self._hits) < MOST_KEPT:
                self._hits.append(hit)
            else:
                logger.error("Too many clicks wait to be written; one was dropped")
            waiting = len(self._hits)
            if settings.TRACKING_SECONDS and (self._thread is None or self._pid != os.getpid()):
                # A forked child has its parent's object but not its thread.
                self._pid = os.getpid()
                self._thread = threading.Thread(target=self._run, name="tracking", daemon=True)
                self._thread.start()
        if not settings.TRACKING_SECONDS:
            self.flush()
        elif waiting >= AT_ONCE:
            self._wake.set()

    def flush(self) -> int:
        """Write what is kept; return how many hits that were. What cannot be written is kept."""
        with self._lock:
            hits, self._hits = self._hits, []
        try:
            for start in range(0, len(hits), AT_ONCE):
                write_hits(hits[start : start + AT_ONCE])
        except Exception:
            with self._lock:
                self._hits = hits[start:] + self._hits
            raise
        return len(hits)

    def _run(self) -> None:
        while True:
            self._wake.wait(settings.TRACKING_SECONDS)
            self._wake.clear()
            if self._hits:
                self._flush_and_close()

    def _flush_and_close(self) -> None:
        try:
            self.flush()
        except Exception:
            logger.exception("Clicks could not be written yet")
        finally:
            connection.close()


buffer = Buffer()


@atexit.register
def _last_flush() -> None:
    if buffer._hits:
        buffer._flush_and_close()


@transaction.atomic
def write_hits(hits: list[Hit]) -> None:
    """Write hits as events. A click by a person also says that the message was read.

    Opening is an estimate, since mailbox providers fetch images themselves: it moves nothing.
    """
    settled = _settled({hit.key for hit in hits})
    links: dict[tuple[int, int], set[int]] = defaultdict(set)
    for hit in hits:
        if hit.link is not None:
            links[hit.key].add(hit.link)
    receipts, events, opened = [], [], set()
    for hit in hits:
        if hit.key not in settled:
            continue
        moment = settled[hit.key]
        robot = hit.automatic or len(links[hit.key]) >= BURST
        robot = robot or (moment is not None and hit.at < moment + TOO_SOON)
        if hit.link is not None and not robot:
            receipts.append(
                Receipt(
                    dispatch_id=hit.dispatch_id,
                    delivery_id=hit.delivery_id,
                    kind=DeliveryEvent.Kind.CLICKED,
                    at=hit.at,
                    code=str(hit.link),
                )
            )
            continue
        if hit.link is None:
            if hit.key in opened:
                continue
            opened.add(hit.key)
        events.append(
            DeliveryEvent(
                at=hit.at,
                dispatch_id=hit.dispatch_id,
                delivery_id=hit.delivery_id,
                kind=DeliveryEvent.Kind.OPENED if hit.link is None else DeliveryEvent.Kind.CLICKED,
                code="" if hit.link is None else str(hit.link),
                detail=AUTOMATIC if robot else "",
                told_at=Now(),
            )
        )
    DeliveryEvent.objects.bulk_create(events)
    record_receipts(receipts)


def _settled(keys: set[tuple[int, int]]) -> dict[tuple[int, int], datetime | None]:
    """Return when each message that exists was handed over, by both parts of its key."""
    rows = Delivery.objects.filter(
        dispatch_id__in={one for one, _ in keys}, pk__in={other for _, other in keys}
    ).values_list("dispatch_id", "pk", "settled_at")
    return {(one, other): at for one, other, at in rows}
