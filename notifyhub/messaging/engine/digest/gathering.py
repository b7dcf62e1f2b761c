"""What planning adds to its statement where messages may be gathered. Who never gathers pays nothing."""

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from django.utils import timezone

from notifyhub.messaging.engine.digest.clock import DAY, WEEK, next_close
from notifyhub.messaging.engine.quiet import zone_of
from notifyhub.messaging.models import Delivery, Dispatch

Reason = Delivery.Reason
GATHERED = Delivery.State.GATHERED.value

# A limit keeps a message from going alone and now. What is gathered does neither: its digest is limited.
_LIMITED = ("", Reason.CAP_DAY, Reason.CAP_WEEK, Reason.SUBJECT_GAP, Reason.SUBJECT_MAX)
_GATHERABLE = ", ".join(f"'{reason}'" for reason in _LIMITED)

_ZONES = """
SELECT DISTINCT c.time_zone FROM messaging_dispatchitem i JOIN customers_customer c ON c.id = i.customer_id
WHERE i.dispatch_id = %s AND i.item > %s AND i.item <= %s
"""

# A message that would expire before its bucket closes is not made to wait for that.
_SORTED = f"""
sorted AS (
    SELECT j.customer_id, j.dedup_key, j.place, j.channel, j.contact_id, j.send_at, p.subject_ref,
           q.every, q.closes_at, w.wish IS NOT NULL AND q.every IS NOT NULL AS by_wish,
           CASE WHEN q.closes_at IS NULL THEN j.reason ELSE '{Reason.GATHERED.value}' END AS reason,
           CASE WHEN q.closes_at IS NULL THEN j.detail ELSE '' END AS detail
    FROM judged j
    JOIN people p ON p.dedup_key = j.dedup_key
    LEFT JOIN messaging_digestwish w ON w.customer_id = j.customer_id AND w.topic_id = %(topic)s
        AND w.wish <> 'template'
    LEFT JOIN unnest(%(gather_zones)s::text[], %(gather_every)s::text[], %(gather_closes)s::timestamptz[])
        q(zone, every, closes_at)
        ON q.zone = p.time_zone AND q.every = coalesce(w.wish, %(gather)s) AND j.reason IN ({_GATHERABLE})
        AND q.closes_at < coalesce(%(gather_expires)s::timestamptz, 'infinity')
),"""

_WAITING = f""", waiting AS (
    INSERT INTO messaging_digestitem (dispatch_id, delivery_id, item, customer_id, topic_id,
        template_version_id, subject_ref, every, by_wish, at, closes_at, state, reason)
    SELECT %(dispatch)s, n.id, n.dedup_key, n.customer_id, %(topic)s, %(gather_version)s, n.subject_ref,
           n.every, n.by_wish, greatest(%(send_at)s::timestamptz, statement_timestamp()), n.closes_at, 0, ''
    FROM numbered n WHERE n.reason = '{Reason.GATHERED.value}'
)"""


@dataclass(frozen=True, kw_only=True)
class Gathering:
    """The pieces of the planning statement for one range, and their parameters."""

    params: dict[str, Any]
    sorting: str = _SORTED
    source: str = "sorted"
    state: str = f"CASE reason WHEN '{Reason.GATHERED.value}' THEN {GATHERED} ELSE %(skipped)s END"
    waiting: str = _WAITING


# The statement as it is for all others.
NO_GATHERING = Gathering(params={}, sorting="", source="judged", state="%(skipped)s", waiting="")


def gathering_of(cursor: Any, dispatch: Dispatch, *, low: int, high: int) -> Gathering | None:
    """Return what planning this range adds; None for a dispatch that never gathers, without a look-up."""
    if not dispatch.gather:
        return None
    cursor.execute(_ZONES, [dispatch.pk, low, high])
    zones = [row[0] for row in cursor.fetchall()]
    rows = [
        (zone, every, close)
        for zone in zones
        for every, close in closes_of(dispatch.gather, zone, after=max(dispatch.send_at, timezone.now()))
    ]
    return Gathering(
        params={
            "gather": dispatch.gather["every"],
            "gather_zones": [row[0] for row in rows],
            "gather_every": [row[1] for row in rows],
            "gather_closes": [row[2] for row in rows],
            "gather_expires": dispatch.expires_at,
            "gather_version": dispatch.template_version_id,
        }
    )


def closes_of(gather: dict[str, Any], zone: str, *, after: datetime) -> list[tuple[str, datetime]]:
    """Return (how often, next close) for each way in which somebody in that zone may have it gathered."""
    at, weekday = time.fromisoformat(gather["at"]), int(gather["weekday"])
    ways = dict.fromkeys((gather["every"], DAY, WEEK))
    return [(every, next_close(after, zone_of(zone), every=every, at=at, weekday=weekday)) for every in ways]
