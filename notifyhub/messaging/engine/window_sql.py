"""Reading the rows of one window with each gate looked at once more.

The rows are picked by an inner LIMIT and only then joined: as a plain range join the database may read the
whole ledger (50 times slower at a million rows; a test guards it). Each gate is one look-up by index per
row, so its cost does not grow with the ledger or with the customers.

The database makes every branch of a statement ready each time, taken or not, and a look-up in a partitioned
table is a dozen of them: what no dispatch of the window can need is left out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

from notifyhub.customers.models.consent import CONTACT_KIND
from notifyhub.messaging.engine.chain_rules import met_sql
from notifyhub.messaging.engine.lease import UNHALTED, LeasedBatch
from notifyhub.messaging.engine.plan_sql import SUBJECT_HOLD_EXEMPT
from notifyhub.messaging.engine.statements import prepared
from notifyhub.messaging.models import Delivery, Dispatch
from notifyhub.messaging.registry import read, stop_conditions

Reason = Delivery.Reason
State = Delivery.State

_WITHOUT_CONTACT = tuple(str(channel) for channel, kind in CONTACT_KIND.items() if kind is None)
_HOLD_IN_FORCE = (
    "h.customer_id = coalesce(c.merged_into_id, c.id) AND h.released_at IS NULL "
    "AND (h.ends_at IS NULL OR h.ends_at > statement_timestamp())"
)

# A further step of a chain, where an earlier one went out but was not seen: it is one contact with the other.
_REACHED_BEFORE = f"""EXISTS (
    SELECT 1 FROM messaging_delivery e
    WHERE e.dispatch_id = d.dispatch_id AND e.dedup_key = d.dedup_key AND e.step < d.step
      AND e.state IN ({State.UNKNOWN.value}, {State.SENT.value}, {State.DELIVERED.value}))"""

# The kind of a contact point follows from the channel; written as data for the suppression's key.
_KIND_OF = (
    "CASE d.channel "
    + " ".join(f"WHEN '{channel}' THEN '{kind}'" for channel, kind in CONTACT_KIND.items() if kind)
    + " END"
)


Stops = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What the rows of a window may need to have looked at, besides what all do.

    `origins` are those that may stop a message, None for all; `steps` says that a row may follow an earlier
    step, `items` that it may have words of its own, `subjects` that it may be about something.
    """

    origins: frozenset[str] | None = None
    steps: bool = True
    items: bool = True
    subjects: bool = True


EVERYTHING = Needs()


def needs_of(batches: Sequence[LeasedBatch], dispatches: Iterable[Dispatch]) -> Needs:
    """Return what a window of these needs. All of it is settled when they are made."""
    found = list(dispatches)
    items = any(one.audience.get("kind") == "items" for one in found)
    return Needs(
        origins=frozenset(one.origin_kind for one in found if stop_conditions.get(one.origin_kind)),
        steps=any(batch.step > 0 for batch in batches),
        items=items,
        subjects=items or any(one.subject_ref for one in found),
    )


def _stops(stops: Stops) -> str:
    """Return the origins' own stop conditions as WHEN branches."""
    return " ".join(
        f"WHEN b.origin_kind = %(stop_{number})s AND ({fragment}) THEN '{Reason.STOPPED}'"
        for number, (_kind, fragment) in enumerate(stops)
    )


# Many small batches at once: each names its own range.
_OF_MANY = """
    r.dispatch_id = b.dispatch_id AND r.id > b.cursor
    AND r.id <= CASE WHEN b.ids IS NULL THEN least(b.hi, b.cursor + %(take)s) ELSE b.hi END
    AND (b.ids IS NULL OR r.id = ANY(b.ids))
"""
# One batch: its partition is known, and the bounds hold a window of rows at most, however they are looked up.
_OF_ONE = "r.dispatch_id = %(dispatch)s AND r.id > %(cursor)s AND r.id <= %(hi)s"


def window_sql(
    batches: Sequence[LeasedBatch], *, take: int, owner: str = "", needs: Needs = EVERYTHING
) -> tuple[str, dict[str, Any]]:
    """Return the statement that reads up to `take` rows of each batch, and its parameters.

    `halted` says that somebody ordered the batch, or the worker `owner`, to stand still.
    Each batch gives at least one row: without messages left, the columns of the message are null.
    """
    stops = tuple(
        (kind, read(fragment))
        for kind, fragment in stop_conditions.items()
        if needs.origins is None or kind in needs.origins
    )
    params: dict[str, Any] = {f"stop_{number}": kind for number, (kind, _fragment) in enumerate(stops)}
    which, within, order = "b.id = ANY(%(batches)s)", _OF_MANY, "ORDER BY b.not_before, b.id, d.id"
    if len(batches) == 1:
        (batch,) = batches
        # They come as they were picked: to sort them again, wide as they are, costs more than it does here.
        which, within, order = "b.id = %(batch)s", _OF_ONE, ""
        params |= {"dispatch": batch.dispatch_id, "cursor": batch.cursor, "hi": batch.reach(take)}
        params["batch"] = batch.id
        if batch.ids is not None:
            within += " AND r.id = ANY(%(ids)s)"
            params["ids"] = batch.ids
    else:
        params["batches"] = [batch.id for batch in batches]
    if needs.subjects:
        params["exempt"] = list(SUBJECT_HOLD_EXEMPT)
    statement = _statement(
        (which, within, order), stops, steps=needs.steps, items=needs.items, subjects=needs.subjects
    )
    return statement, {
        **params,
        "take": take,
        "owner": owner,
        "without_contact": list(_WITHOUT_CONTACT),
    }


# An earlier step has reached them meanwhile: nobody gets both.
_READ = f"""WHEN d.step > 0 AND EXISTS (
               SELECT 1 FROM messaging_delivery e
               WHERE e.dispatch_id = d.dispatch_id AND e.dedup_key = d.dedup_key AND e.step < d.step
                 AND {met_sql("b.chain")}
           ) THEN '{Reason.READ}'"""
_SUBJECT_HELD = f"""WHEN {{subject}} <> '' AND b.origin_kind <> ALL(%(exempt)s) AND EXISTS (
               SELECT 1 FROM customers_hold h WHERE {_HOLD_IN_FORCE} AND h.scope = 'subject'
                 AND h.scope_value = {{subject}}
           ) THEN '{Reason.HOLD}'"""
_ITEMS = """LEFT JOIN messaging_dispatchitem i ON i.dispatch_id = d.dispatch_id AND i.item = d.dedup_key
    AND b.of_items"""


@lru_cache(maxsize=64)
def _statement(rows: tuple[str, str, str], stops: Stops, *, steps: bool, items: bool, subjects: bool) -> str:
    which, within, order = rows
    subject = "coalesce(nullif(i.subject_ref, ''), b.subject_ref)" if items else "b.subject_ref"
    # What a batch has in common is found once and not by row.
    return f"""
WITH b AS MATERIALIZED (
    SELECT b.id, b.not_before, b.cursor, b.hi, b.ids, b.dispatch_id, j.state AS dispatch_state,
           j.message_class, j.origin_kind, j.topic_id, j.subject_ref, j.urgent, j.expires_at, j.chain,
           t.code AS topic_code, j.audience ->> 'kind' = 'items' AS of_items,
           coalesce(j.expires_at <= statement_timestamp(), FALSE) AS expired, NOT {UNHALTED} AS halted
    FROM messaging_batch b
    JOIN messaging_dispatch j ON j.id = b.dispatch_id
    LEFT JOIN customers_topic t ON t.id = j.topic_id
    WHERE {which}
)
SELECT b.id AS batch_id, b.dispatch_state, b.message_class, b.origin_kind, b.expired, b.halted,
       d.dispatch_id, d.id, d.customer_id, d.dedup_key, d.step, d.channel, d.tries, d.reason AS mark,
       d.account_id, coalesce(c.merged_into_id, c.id) AS person_id, c.time_zone,
       {subject} AS subject_ref, b.urgent, b.expires_at, statement_timestamp() AS looked_at,
       {f"d.step > 0 AND {_REACHED_BEFORE}" if steps else "FALSE"} AS goes_on,
       c.name, c.city, c.external_id, c.attributes, c.tags, c.locale,
       k.value AS contact, {"i.variables" if items else "NULL::bytea"} AS item_variables,
       CASE
           WHEN d.id IS NULL THEN ''
           {_READ if steps else ""}
           WHEN k.id IS NULL AND d.channel <> ALL(%(without_contact)s) THEN '{Reason.NO_CONTACT}'
           WHEN NOT k.valid THEN '{Reason.INVALID_CONTACT}'
           WHEN EXISTS (
               SELECT 1 FROM customers_suppression x
               WHERE x.value_hash = k.value_hash AND x.kind = {_KIND_OF} AND x.lifted_at IS NULL
                 AND (x.scope = 'all' OR (x.scope = 'promotional' AND b.message_class = 'promotional'))
           ) THEN '{Reason.SUPPRESSED}'
           WHEN b.message_class <> 'transactional' AND g.decision = 'out' THEN '{Reason.OPTED_OUT}'
           WHEN b.message_class = 'promotional' AND g.decision IS NULL THEN '{Reason.NO_CONSENT}'
           WHEN b.message_class = 'promotional' AND EXISTS (
               SELECT 1 FROM customers_hold h WHERE {_HOLD_IN_FORCE}
                 AND (h.scope = 'promotions' OR (h.scope = 'topic' AND h.scope_value = b.topic_code)
                      OR (h.scope = 'channel' AND h.scope_value = d.channel))
           ) THEN '{Reason.HOLD}'
           {_SUBJECT_HELD.format(subject=subject) if subjects else ""}
           {_stops(stops)}
           ELSE ''
       END AS verdict
FROM b
LEFT JOIN LATERAL (
    SELECT r.* FROM messaging_delivery r
    WHERE {within} AND r.state = 0
    ORDER BY r.id LIMIT %(take)s
) d ON TRUE
LEFT JOIN customers_customer c ON c.id = d.customer_id
LEFT JOIN customers_contactpoint k ON k.id = d.contact_id
LEFT JOIN customers_consent g ON g.customer_id = coalesce(c.merged_into_id, c.id)
    AND g.topic_id = b.topic_id AND g.channel = d.channel
{_ITEMS if items else ""}
{order}
"""


_names: list[str] = []


def read_window(
    batches: Sequence[LeasedBatch], *, take: int, owner: str = "", needs: Needs = EVERYTHING
) -> list[dict[str, Any]]:
    """Return up to `take` rows of each batch, gates looked at."""
    statement, params = window_sql(batches, take=take, owner=owner, needs=needs)
    with prepared(by_row=False) as cursor:
        cursor.execute(statement, params)
        if not _names:
            # Whatever its batches, the statement has the same columns.
            _names[:] = [column[0] for column in cursor.description]
        rows = [dict(zip(_names, row, strict=True)) for row in cursor.fetchall()]
    if len(batches) == 1:
        rows.sort(key=itemgetter("id"))
    return rows
