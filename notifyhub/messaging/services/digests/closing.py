"""Closing buckets: what waited goes on as one message per customer."""

import json
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Topic
from notifyhub.messaging.engine.digest.wanted import ORIGIN, SOURCES, why_not
from notifyhub.messaging.models import Bookmark, DigestItem, Dispatch, TemplateVersion
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.services.dispatches import create_dispatch
from notifyhub.messaging.services.halts import held_before

logger = logging.getLogger(__name__)
State = DigestItem.State
# Whoever closes holds this row: two ticks at once must not share the bucket of one customer.
LOCK = "messaging.digests"
# Customers closed in one transaction.
CUSTOMERS = 20_000

_DUE = f"""q.state = {State.WAITING.value} AND q.closes_at <= %(until)s
    AND (%(held)s::timestamptz IS NULL OR q.closes_at >= %(held)s)
    AND q.customer_id > %(low)s AND q.customer_id <= %(high)s
    AND (%(only)s::bigint[] IS NULL OR q.id = ANY(%(only)s))"""

_RANGE = f"""
SELECT min(customer_id) - 1, max(customer_id) FROM (
    SELECT DISTINCT q.customer_id FROM messaging_digestitem q WHERE {_DUE} ORDER BY 1 LIMIT {CUSTOMERS}) c
"""

# One look at all of them decides; what follows acts on the rows that this locked.
_LEAVE_OUT = f"""
WITH looked AS MATERIALIZED (
    SELECT q.id, {{why_not}} AS why FROM messaging_digestitem q {SOURCES} WHERE {_DUE}
), gone AS MATERIALIZED (SELECT id, why FROM looked WHERE why IS NOT NULL)
UPDATE messaging_digestitem t SET state = {State.DROPPED.value}, reason = w.why,
    settled_at = statement_timestamp()
FROM gone w WHERE t.id = w.id AND t.state = {State.WAITING.value}
"""

# A customer's bucket: what waits of one template and topic, over the same channels. Somebody merged meanwhile
# has one with the one they were merged into; after an outage one digest has what several would have had. It
# speaks by the newest version that anything of it was gathered with.
_BUCKETS = f"""
buckets AS MATERIALIZED (
    SELECT coalesce(c.merged_into_id, c.id) AS person, v.template_id, q.topic_id, qj.chain,
           max(q.template_version_id) AS version, min(q.id) AS leader, array_agg(q.id ORDER BY q.id) AS ids,
           CASE WHEN count(DISTINCT q.subject_ref) = 1 THEN min(q.subject_ref) ELSE '' END AS subject_ref,
           CASE WHEN count(DISTINCT coalesce(i.contact_id, 0)) = 1 THEN min(i.contact_id) END AS contact_id
    FROM messaging_digestitem q
    JOIN messaging_dispatch qj ON qj.id = q.dispatch_id
    JOIN messaging_templateversion v ON v.id = q.template_version_id
    JOIN customers_customer c ON c.id = q.customer_id
    LEFT JOIN LATERAL (
        SELECT s.contact_id FROM messaging_dispatchitem s
        WHERE s.dispatch_id = q.dispatch_id AND s.item = q.item LIMIT 1
    ) i ON TRUE
    WHERE {_DUE}
    GROUP BY 1, 2, 3, 4
)"""

_GROUPS = f"""
WITH {_BUCKETS}
SELECT version, topic_id, chain::text, count(*) FROM buckets GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""

# Subjects are told apart when doubled addresses are looked for, so several subjects have one of their own.
_FILL = f"""
WITH {_BUCKETS}, chosen AS (
    SELECT b.* FROM buckets b
    WHERE b.version = %(version)s AND b.topic_id = %(topic)s AND b.chain = %(chain)s::jsonb
), moved AS (
    UPDATE messaging_digestitem t SET state = {State.GATHERED.value}, digest_id = %(dispatch)s,
        digest_item = m.leader, settled_at = statement_timestamp()
    FROM (SELECT leader, unnest(ids) AS id FROM chosen) m
    WHERE t.id = m.id AND t.state = {State.WAITING.value}
    RETURNING t.digest_item
)
INSERT INTO messaging_dispatchitem (dispatch_id, item, customer_id, contact_id, subject_ref, variables)
SELECT %(dispatch)s, b.leader, b.person, b.contact_id,
       coalesce(nullif(b.subject_ref, ''), 'digest:' || b.leader), NULL
FROM chosen b WHERE b.leader IN (SELECT m.digest_item FROM moved m)
"""


def close_due_digests(*, now: datetime | None = None) -> int:
    """Close every bucket whose time has come; return how many messages go on as digests.

    Each range of customers is one transaction: killed in the middle, it never began.
    """
    made, low = 0, 0
    while True:
        done, high = _close(until=now or timezone.now(), held=held_before(), low=low)
        made += done
        if high is None:
            return made
        low = high


def close_now(*, ids: Sequence[int]) -> int:
    """Close the buckets of these waiting ones before their time; return how many messages go on.

    Whoever is to go with them must be among them. Nothing happens to what went or was dropped meanwhile.
    """
    return _close(until=None, held=None, low=0, only=list(ids))[0]


@transaction.atomic
def _close(
    *, until: datetime | None, held: datetime | None, low: int, only: list[int] | None = None
) -> tuple[int, int | None]:
    """Close the next range of customers above `low`; return how many messages go on, and up to whom."""
    params: dict[str, Any] = {
        "until": until or "infinity",
        "held": held,
        "only": only,
        "low": low,
        "high": 2**62,
    }
    with connection.cursor() as cursor:
        # Compiling costs more than it saves on statements of this size.
        cursor.execute("SET LOCAL jit = off; SET LOCAL work_mem = '64MB'")
        # Nothing due is the usual answer, and needs no lock.
        cursor.execute(f"SELECT EXISTS (SELECT 1 FROM messaging_digestitem q WHERE {_DUE})", params)
        if not cursor.fetchone()[0]:
            return 0, None
        Bookmark.objects.get_or_create(name=LOCK, defaults={"upto": timezone.now()})
        Bookmark.objects.select_for_update().get(name=LOCK)
        cursor.execute(_RANGE, params)
        low, high = cursor.fetchone()
        if high is None:
            return 0, None
        params |= {"low": low, "high": high}
        cursor.execute(_LEAVE_OUT.format(why_not=why_not()), params)
        cursor.execute(_GROUPS, params)
        groups = cursor.fetchall()
    made = 0
    for *group, people in groups:
        try:
            with transaction.atomic():
                _dispatch(*group, params=params)
            made += people
        except Refused:
            # The others go; these wait until somebody has put it right.
            logger.exception("A digest of version %s could not be made", group[0])
    Bookmark.objects.filter(name=LOCK).update(upto=timezone.now())
    return made, high


def _dispatch(version_id: int, topic_id: int, chain: str, *, params: dict[str, Any]) -> Dispatch:
    version = TemplateVersion.objects.select_related(
        "template__owner", "template__owner_team", "created_by"
    ).get(pk=version_id)
    template = version.template
    topic = Topic.objects.get(pk=topic_id)

    def fill(dispatch_id: int) -> int:
        values = {
            **params,
            "dispatch": dispatch_id,
            "version": version_id,
            "topic": topic_id,
            "chain": chain,
        }
        with connection.cursor() as cursor:
            cursor.execute(_FILL, values)
            return int(cursor.rowcount)

    with translation.override(template.owner.language if template.owner else settings.LANGUAGE_CODE):
        title, trigger = _("%s · digest") % template.name, _("Digest of what was gathered")
    return create_dispatch(
        title=title,
        origin_kind=ORIGIN,
        origin_id=str(template.pk),
        trigger=trigger,
        message_class=topic.message_class,
        topic=topic,
        template_version=version,
        chain=json.loads(chain),
        audience={"kind": "items"},
        fill=fill,
        priority=Priority.BULK,
        owner=template.owner,
        owner_team=template.owner_team,
        author=str(version.created_by or ""),
    )
