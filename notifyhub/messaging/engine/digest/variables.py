"""What a digest's text reads: the variables of what it gathered, as they are wanted right before it goes."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection

from notifyhub.core import crypto
from notifyhub.messaging.engine.digest.wanted import GATHERED, SOURCES, why_not
from notifyhub.messaging.models import Delivery, DigestItem
from notifyhub.messaging.registry import item_variables
from notifyhub.messaging.rendering.digest import several

State = Delivery.State

_GATHERED = """
SELECT q.id, q.digest_item, q.dispatch_id, q.item, qj.origin_kind, i.variables, {why_not} AS why
FROM messaging_digestitem q {sources}
LEFT JOIN LATERAL (
    SELECT s.variables FROM messaging_dispatchitem s
    WHERE s.dispatch_id = q.dispatch_id AND s.item = q.item LIMIT 1
) i ON TRUE
WHERE q.digest_id = %(digest)s AND q.digest_item = ANY(%(items)s) AND q.state = {gathered}
ORDER BY q.digest_item, q.at, q.id
"""

# A further step of the chain leaves out what is done meanwhile, but what an earlier one has told is told.
_LEAVE_OUT = f"""
UPDATE messaging_digestitem t SET state = {DigestItem.State.DROPPED.value}, reason = w.why,
    settled_at = statement_timestamp()
FROM unnest(%(ids)s::bigint[], %(whys)s::text[]) AS w(id, why)
WHERE t.id = w.id AND t.state = {GATHERED} AND NOT EXISTS (
    SELECT 1 FROM messaging_delivery e
    WHERE e.dispatch_id = t.digest_id AND e.dedup_key = t.digest_item
      AND e.state IN ({State.SENT.value}, {State.DELIVERED.value}, {State.UNKNOWN.value}))
"""


def digest_variables(dispatch_id: int, dedup_keys: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return {item of the digest: variables} for these customers of one digest.

    What is no longer wanted is left out and says why from then on. A single one left has its own variables,
    and goes with the template's normal text.
    """
    sql = _GATHERED.format(why_not=why_not(), sources=SOURCES, gathered=GATHERED)
    with connection.cursor() as cursor:
        cursor.execute(sql, {"digest": dispatch_id, "items": list(dedup_keys)})
        rows = cursor.fetchall()
        out = [(row[0], row[6]) for row in rows if row[6] is not None]
        if out:
            ids, whys = zip(*out, strict=True)
            cursor.execute(_LEAVE_OUT, {"ids": list(ids), "whys": list(whys)})
    wanted = [row for row in rows if row[6] is None]
    told = _told(wanted)
    found: dict[int, list[dict[str, Any]]] = {key: [] for key in dedup_keys}
    for _id, key, origin, item, _kind, sealed, _why in wanted:
        own = json.loads(crypto.decrypt(bytes(sealed))) if sealed is not None else {}
        found[key].append({**own, **told.get((origin, item), {})})
    return {key: items[0] if len(items) == 1 else several(items) for key, items in found.items()}


def _told(rows: Iterable[tuple[Any, ...]]) -> dict[tuple[int, int], dict[str, Any]]:
    """Return what the origins tell of their items, each asked once per dispatch of theirs."""
    asked: dict[tuple[str, int], list[int]] = defaultdict(list)
    for _id, _key, origin, item, kind, _sealed, _why in rows:
        if item_variables.get(kind) is not None:
            asked[kind, origin].append(item)
    told: dict[tuple[int, int], dict[str, Any]] = {}
    for (kind, origin), items in asked.items():
        provider = item_variables.get(kind)
        answers = provider(origin, items) if provider else {}
        told |= {(origin, item): variables for item, variables in answers.items()}
    return told
