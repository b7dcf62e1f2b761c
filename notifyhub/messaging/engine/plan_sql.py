"""The one statement that decides who of an audience is sent to, over which channel, and who is not and why.

The planner wraps it in an INSERT, the forecast in a SELECT: they cannot differ. Everything is a join of sets
over one range of ids, and the range is repeated on every side: left to guess, the database would aggregate
the whole table for each range.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from notifyhub.customers.models.consent import CONTACT_KIND, MessageClass
from notifyhub.messaging.engine.limits import Limits, distinct_days
from notifyhub.messaging.engine.plan_holds import hold_joins
from notifyhub.messaging.engine.plan_limits import Clock, clock_join, limit_joins
from notifyhub.messaging.models import Delivery

Reason = Delivery.Reason

# A subject hold does not silence the answer to the dispute it came from, nor a security code.
SUBJECT_HOLD_EXEMPT = ("case", "security")

Sql = tuple[str, dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Gates:
    """What the statement needs to know of a dispatch. `channels` is the chain with a reason against each
    that is out for everybody ("" if it is not); `audience` an SQL expression over alias `c`, or None for
    the items of the dispatch."""

    message_class: str
    channels: tuple[tuple[str, str], ...]
    audience: str | None
    topic_id: int | None = None
    topic_code: str = ""
    subject_ref: str = ""
    origin_kind: str = ""
    dispatch_id: int | None = None
    # In the order of `channels`; none, where nothing limits.
    limits: tuple[Limits, ...] = ()
    send_at: datetime | None = None
    # Between which ids everybody is whom the audience can mean, if that is known.
    span: tuple[int, int] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def has_zones(self) -> bool:
        """Say whether it matters where the customers are."""
        return distinct_days(self.limits)


def embed(sql: str, params: list[Any]) -> str:
    """Return `sql` with its parameters quoted in, so that it can stand inside a statement with named ones."""
    if not params:
        return sql
    composed: str = connection.ops.compose_sql(sql, params)  # type: ignore[attr-defined]
    return composed.replace("%", "%%")


def judged_sql(
    gates: Gates,
    *,
    low: int,
    high: int,
    earlier: bool,
    clocks: Sequence[Clock] = (),
    people: str = "",
    after: int = -1,
    masks: bool = False,
) -> Sql:
    """Return the WITH list that ends in `judged`: customer_id, dedup_key, place, channel, contact_id,
    send_at, reason ('' is sendable) and detail, for ids in (low, high]. `earlier` says that lower ids were
    planned before; `clocks`, one a channel, are needed where zones matter. The chain names its own `people`,
    of any ids, and the place in the chain `after` which theirs begins. `masks` adds over which channels each
    person can be reached: a `mask` with a bit for each place that passes."""
    params = {
        "low": low,
        "high": high,
        "topic": gates.topic_id,
        "topic_code": gates.topic_code,
        "subject": gates.subject_ref,
        "dispatch": gates.dispatch_id,
        "skipped": Delivery.State.SKIPPED,
        "send_at": gates.send_at,
        **gates.extra,
    }
    ctes = [f"people AS ({people or _people(gates)})"]
    places = list(enumerate(gates.channels))[after + 1 :]
    named = bool(people) or gates.audience is None
    steps = [
        _step(gates, place, *channel, clock=clocks[place] if clocks else None, params=params, named=named)
        for place, channel in places
    ]
    if len(steps) == 1:
        ctes.append(f"chosen AS ({steps[0]})")
    else:
        # The first channel of the chain that passes; a customer without one keeps the first one's reason.
        ctes.append(f"steps AS ({' UNION ALL '.join(steps)})")
        bits = "CASE WHEN reason = '' THEN 1 << place ELSE 0 END"
        mask = f", bit_or({bits}) OVER (PARTITION BY dedup_key) AS mask"
        ctes.append(
            f"chosen AS (SELECT DISTINCT ON (dedup_key) *{mask if masks else ''} FROM steps "
            "ORDER BY dedup_key, (reason <> ''), place)"
        )
    has_mask = masks and len(steps) > 1
    ctes.append(f"judged AS ({_judge(gates, earlier=earlier, anywhere=bool(people), mask=has_mask)})")
    return "WITH " + ",\n".join(ctes), params


def _people(gates: Gates) -> str:
    if gates.audience is not None:
        return f"""
            SELECT c.id AS customer_id, c.id AS dedup_key, %(subject)s::text AS subject_ref, c.time_zone,
                   NULL::bigint AS contact_wanted, NULL::text AS kind_wanted
            FROM customers_customer c
            WHERE c.id > %(low)s AND c.id <= %(high)s AND ({gates.audience})"""
    # A customer merged since the item was made is reached as the one they were merged into.
    return """
        SELECT coalesce(c.merged_into_id, c.id) AS customer_id, i.item AS dedup_key,
               coalesce(nullif(i.subject_ref, ''), %(subject)s) AS subject_ref, c.time_zone,
               w.id AS contact_wanted, w.kind AS kind_wanted
        FROM messaging_dispatchitem i
        JOIN customers_customer c ON c.id = i.customer_id
        LEFT JOIN customers_contactpoint w ON w.id = i.contact_id
        WHERE i.dispatch_id = %(dispatch)s AND i.item > %(low)s AND i.item <= %(high)s"""


def _range(gates: Gates, column: str) -> str:
    return f"AND {column} > %(low)s AND {column} <= %(high)s" if gates.audience is not None else ""


def _step(
    gates: Gates,
    place: int,
    channel: str,
    closed: str,
    *,
    clock: Clock | None,
    params: dict[str, Any],
    named: bool,
) -> str:
    """Return the SELECT that judges everybody on one channel."""
    kind = CONTACT_KIND[channel]
    joins: list[str] = []
    cases: list[str] = [f"WHEN TRUE THEN '{closed}'"] if closed else []
    contact = "NULL::bigint", "NULL::bytea"
    if kind is not None:
        contact = "k.id", "k.value_hash"
        wanted = 'k."primary"'
        if gates.audience is None:
            wanted = f"CASE WHEN p.kind_wanted = '{kind}' THEN k.id = p.contact_wanted ELSE k.\"primary\" END"
        joins.append(
            f"LEFT JOIN customers_contactpoint k ON k.customer_id = p.customer_id AND k.kind = '{kind}' "
            f"AND {wanted} {_range(gates, 'k.customer_id')}"
        )
        cases += [
            f"WHEN k.id IS NULL THEN '{Reason.NO_CONTACT}'",
            f"WHEN NOT k.valid THEN '{Reason.INVALID_CONTACT}'",
        ]
        # One join per scope, each on the whole unique key, so that it can neither double a row nor force a
        # scan of all suppressions.
        for scope in ("all", "promotional")[: 2 if gates.message_class == MessageClass.PROMOTIONAL else 1]:
            joins.append(
                f"LEFT JOIN customers_suppression x_{scope} ON x_{scope}.value_hash = k.value_hash "
                f"AND x_{scope}.kind = '{kind}' AND x_{scope}.scope = '{scope}' "
                f"AND x_{scope}.lifted_at IS NULL"
            )
            cases.append(f"WHEN x_{scope}.id IS NOT NULL THEN '{Reason.SUPPRESSED}'")
    _add_consent(gates, channel, joins, cases)
    _add_holds(gates, channel, joins, cases, named=named)
    send_at = "%(send_at)s::timestamptz"
    if clock is not None:
        join, send_at, _day = clock_join(place, clock, params)
        joins.append(join)
        more = limit_joins(
            place,
            gates.limits[place],
            clock,
            _range(gates, "n.customer_id"),
            params,
            subjects=bool(gates.subject_ref) or gates.audience is None,
        )
        joins += more[0]
        cases += more[1]
    # What was found follows the reason after a blank.
    return f"""
        SELECT f.*, split_part(f.finding, ' ', 1) AS reason FROM (
        SELECT p.customer_id, p.dedup_key, p.subject_ref, {place} AS place, {send_at} AS send_at,
               '{channel}'::text AS channel, {contact[0]} AS contact_id, {contact[1]} AS value_hash,
               CASE {" ".join(cases)} ELSE '' END AS finding
        FROM people p {" ".join(joins)}) f"""


def _add_consent(gates: Gates, channel: str, joins: list[str], cases: list[str]) -> None:
    if gates.message_class == MessageClass.TRANSACTIONAL or gates.topic_id is None:
        return
    joins.append(
        "LEFT JOIN customers_consent g ON g.customer_id = p.customer_id AND g.topic_id = %(topic)s "
        f"AND g.channel = '{channel}' {_range(gates, 'g.customer_id')}"
    )
    cases.append(f"WHEN g.decision = 'out' THEN '{Reason.OPTED_OUT}'")
    if gates.message_class == MessageClass.PROMOTIONAL:
        cases.append(f"WHEN g.decision IS NULL THEN '{Reason.NO_CONSENT}'")


def _add_holds(gates: Gates, channel: str, joins: list[str], cases: list[str], *, named: bool) -> None:
    about_a_subject = bool(gates.subject_ref) or gates.audience is None
    more = hold_joins(
        promotional=gates.message_class == MessageClass.PROMOTIONAL,
        channel=channel,
        about_a_subject=about_a_subject and gates.origin_kind not in SUBJECT_HOLD_EXEMPT,
        among=None if named else _range(gates, "h.customer_id"),
    )
    joins += more[0]
    cases += more[1]


def _judge(gates: Gates, *, earlier: bool, anywhere: bool, mask: bool) -> str:
    """Return the SELECT that keeps one message per contact point, subject and dispatch.

    Contact points come first in the order it sorts by: nearly all differ, and what follows is not compared.
    """
    seen_before = ""
    if earlier:
        # Contact points repeat rarely, so this is one look-up by hash per row that finds only itself. The
        # ledger row is then found by its dedup key (a customer), or for items by its customer. OFFSET keeps
        # that order: of a dispatch that began since the last ANALYZE the database believes that it has no
        # rows, and would start from them for each recipient.
        found = (
            "e.dedup_key = o.customer_id" if gates.audience is not None else "e.customer_id = o.customer_id"
        )
        seen_before = f"""
            WHEN s.reason = '' AND s.value_hash IS NOT NULL AND EXISTS (
                SELECT 1 FROM customers_contactpoint o CROSS JOIN LATERAL (
                    SELECT e.dedup_key FROM messaging_delivery e
                    WHERE e.dispatch_id = %(dispatch)s AND {found} AND e.contact_id = o.id
                        AND e.channel = s.channel AND e.state <> %(skipped)s
                        {"" if anywhere else "AND e.dedup_key <= %(low)s"}
                    {"" if gates.audience is None else "ORDER BY e.step"} OFFSET 0) e
                LEFT JOIN messaging_dispatchitem ei
                    ON ei.dispatch_id = %(dispatch)s AND ei.item = e.dedup_key
                WHERE o.value_hash = s.value_hash AND o.customer_id <> s.customer_id
                    AND coalesce(nullif(ei.subject_ref, ''), %(subject)s) = s.subject_ref
            ) THEN '{Reason.DUPLICATE_CONTACT}'"""
    return f"""
        SELECT s.customer_id, s.dedup_key, s.place, s.channel, s.contact_id, s.send_at,
               {"s.mask" if mask else "1"} AS mask,
               substr(s.finding, length(s.reason) + 2) AS detail,
               CASE
                   WHEN s.reason = '' AND s.value_hash IS NOT NULL AND s.customer_id <> first_value(
                       s.customer_id) OVER (PARTITION BY s.value_hash, s.reason, s.channel, s.subject_ref
                                            ORDER BY s.dedup_key)
                   THEN '{Reason.DUPLICATE_CONTACT}'
                   {seen_before}
                   ELSE s.reason
               END AS reason
        FROM chosen s"""
