"""Messages of which nobody knows whether they arrived: how many, why, and what comes next."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.messaging.models import Delivery

LOOK_BACK = timedelta(days=7)
LIMIT = 10_000
# After so long no vendor answers any more, and a person decides.
PERSON_AFTER = timedelta(hours=24)

# Found through the events, and looked up by key: never by a scan of the ledger.
_DOUBT = f"""
SELECT e.code = 'worker_died' AS died, a.id, a.name,
       CASE WHEN e.code = 'worker_died' THEN split_part(e.worker, ':', 1) ELSE '' END AS node,
       count(*), min(e.at), count(*) FILTER (WHERE e.at < %(old)s), count(DISTINCT e.dispatch_id),
       coalesce(a.backend, ''), coalesce(a.active, FALSE)
FROM (
    SELECT DISTINCT ON (v.dispatch_id, v.delivery_id) v.* FROM (
        SELECT dispatch_id, delivery_id, at, account_id, code, worker FROM messaging_deliveryevent
        WHERE kind = 'unknown' AND at >= %(since)s ORDER BY at DESC LIMIT {LIMIT}
    ) v ORDER BY v.dispatch_id, v.delivery_id, v.at DESC
) e
CROSS JOIN LATERAL (
    SELECT r.account_id FROM messaging_delivery r
    WHERE r.dispatch_id = e.dispatch_id AND r.id = e.delivery_id AND r.state = %(unknown)s LIMIT 1
) d
LEFT JOIN messaging_provideraccount a ON a.id = coalesce(e.account_id, d.account_id)
GROUP BY 1, 2, 3, 4, 9, 10 ORDER BY 5 DESC
"""


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Messages in doubt for one reason; without `account` nobody knows through which they went."""

    words: str
    count: int
    since: datetime
    account: str = ""
    backend: str = ""
    active: bool = False


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """All messages in doubt. `capped` says that there are more than were looked at."""

    count: int
    causes: list[Cause]
    oldest: datetime | None
    old: int
    capped: bool


def messages_in_doubt() -> Doubt:
    """Return what is in doubt since a week, by cause, in one query."""
    now = timezone.now()
    values: dict[str, Any] = {
        "since": now - LOOK_BACK,
        "old": now - PERSON_AFTER,
        "unknown": Delivery.State.UNKNOWN.value,
    }
    with connection.cursor() as cursor:
        cursor.execute(_DOUBT, values)
        rows = cursor.fetchall()
    causes = [
        Cause(
            words=_words(died=row[0], account=row[2], node=row[3]),
            count=row[4],
            since=row[5],
            account=row[2] or "",
            backend=row[8],
            active=row[9],
        )
        for row in rows
    ]
    count = sum(cause.count for cause in causes)
    return Doubt(
        count=count,
        causes=causes,
        oldest=min((cause.since for cause in causes), default=None),
        old=sum(row[6] for row in rows),
        capped=count >= LIMIT,
    )


def _words(*, died: bool, account: str | None, node: str) -> str:
    if died:
        return _("Worker %(name)s stopped while sending") % {"name": node or "?"}
    if account:
        return _("%(name)s gave no answer") % {"name": account}
    return _("The provider gave no answer")
