"""Telling the customers app what became of its customers' messages, each thing once.

A tick follows the ledger by a bookmark, so sending and receipts write nothing for it. What the engine did
bears the database's clock; what others reported bears theirs and is followed by when we heard of it.
"""

from datetime import datetime

from django.db import connection, transaction
from django.utils import timezone

from notifyhub.customers.models.consent import MessageClass
from notifyhub.customers.services.events.following import horizon
from notifyhub.customers.services.events.own import record_own_events
from notifyhub.messaging.models import Bookmark, DeliveryEvent
from notifyhub.messaging.tracking.hits import AUTOMATIC

Kind = DeliveryEvent.Kind

BOOKMARK = "own_events"
# One transaction tells of about so many reports, and one run of so many transactions.
ROWS, STEPS = 20_000, 20
TOLD = (
    Kind.CLICKED,
    Kind.READ,
    Kind.OPENED,
    Kind.UNSUBSCRIBED,
    Kind.COMPLAINED,
    Kind.BOUNCED,
    Kind.DELIVERED,
)
# That a promotion arrived is the bulk of all reports, and the ledger keeps it: nothing is decided by it here.
DELIVERED_TOLD = (MessageClass.SERVICE, MessageClass.TRANSACTIONAL)

# Where the portion ends: at the row that fills it, by either clock.
_END = """
SELECT least(
    (SELECT told_at FROM messaging_deliveryevent WHERE told_at > %(after)s AND told_at <= %(upto)s
     ORDER BY told_at OFFSET %(rows)s LIMIT 1),
    (SELECT at FROM messaging_deliveryevent
     WHERE kind = 'delivered' AND at > %(after)s AND at <= %(upto)s AND worker <> ''
     ORDER BY at OFFSET %(rows)s LIMIT 1))
"""
# Robots follow links and fetch images too; they are no customers. Of many clicks on one message the first
# is told.
_SELECT = """
    WITH seen AS (
        SELECT e.at, e.dispatch_id, e.delivery_id, e.kind FROM messaging_deliveryevent e
        WHERE e.told_at > %(after)s AND e.told_at <= %(upto)s AND e.kind = ANY(%(kinds)s)
          AND e.detail <> %(automatic)s
        UNION ALL
        SELECT e.at, e.dispatch_id, e.delivery_id, e.kind FROM messaging_deliveryevent e
        WHERE e.kind = 'delivered' AND e.at > %(after)s AND e.at <= %(upto)s AND e.worker <> ''
    ), first AS MATERIALIZED (
        SELECT dispatch_id, delivery_id, kind, min(at) AS at FROM seen GROUP BY 1, 2, 3
    ), job AS MATERIALIZED (
        SELECT x.dispatch_id, j.message_class, j.origin_kind, j.origin_id, j.subject_ref, j.named, j.key
        FROM (SELECT DISTINCT dispatch_id FROM first) x
        CROSS JOIN LATERAL (
            SELECT j.message_class, j.origin_kind, j.origin_id, j.subject_ref, t.key,
                   j.audience ->> 'kind' = 'items' AS named
            FROM messaging_dispatch j
            LEFT JOIN messaging_templateversion v ON v.id = j.template_version_id
            LEFT JOIN messaging_template t ON t.id = v.template_id
            WHERE j.id = x.dispatch_id LIMIT 1
        ) j
    ), due AS MATERIALIZED (
        SELECT f.delivery_id, f.kind, f.at, job.* FROM first f JOIN job USING (dispatch_id)
        WHERE f.kind <> 'delivered' OR job.message_class = ANY(%(delivered_told)s)
    )
    SELECT 'message:' || due.delivery_id || ':' || due.kind AS message_id, d.customer_id,
           'message_' || due.kind AS name, due.at AS occurred_at,
           coalesce(substring(coalesce(nullif(i.subject_ref, ''), due.subject_ref) FROM '^order:(.+)$'), '')
               AS order_number,
           jsonb_build_object(
               'channel', d.channel, 'dispatch', due.dispatch_id, 'delivery', due.delivery_id,
               'template', coalesce(due.key, ''), 'class', due.message_class,
               'origin', due.origin_kind || ':' || due.origin_id) AS properties
    FROM due
    CROSS JOIN LATERAL (
        SELECT r.customer_id, r.channel, r.dedup_key FROM messaging_delivery r
        WHERE r.dispatch_id = due.dispatch_id AND r.id = due.delivery_id LIMIT 1
    ) d
    LEFT JOIN messaging_dispatchitem i
        ON due.named AND i.dispatch_id = due.dispatch_id AND i.item = d.dedup_key
"""


def tell_own_events(*, start: datetime | None = None, upto: datetime | None = None) -> int:
    """Tell what the ledger has learned since the last time; return how many events that made.

    A fresh bookmark begins at `start`, by default now. Harmless to repeat and to interrupt.
    """
    told = 0
    edge = upto or horizon()
    for _step in range(STEPS):
        new, more = _tell_one(edge, start)
        told += new
        if not more:
            break
    return told


@transaction.atomic
def _tell_one(edge: datetime, start: datetime | None) -> tuple[int, bool]:
    Bookmark.objects.get_or_create(name=BOOKMARK, defaults={"upto": start or timezone.now()})
    mark = Bookmark.objects.select_for_update().get(name=BOOKMARK)
    if mark.upto >= edge:
        return 0, False
    with connection.cursor() as cursor:
        cursor.execute(_END, {"after": mark.upto, "upto": edge, "rows": ROWS - 1})
        end = cursor.fetchone()[0] or edge
    news = record_own_events(
        select=_SELECT,
        params={
            "after": mark.upto,
            "upto": end,
            "kinds": [str(kind) for kind in TOLD],
            "automatic": AUTOMATIC,
            "delivered_told": [str(one) for one in DELIVERED_TOLD],
        },
    )
    mark.upto = end
    mark.save(update_fields=["upto"])
    return sum(map(len, news.values())), end < edge
