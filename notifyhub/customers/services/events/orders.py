"""Orders as the events tell of them.

Each fact of an order is what was told of it last, by the platform's clock: the same events give the same
order in whatever order, and however often, they arrive.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from psycopg.types.json import Jsonb

from notifyhub.customers.models import Order
from notifyhub.customers.services.events.shapes import PROGRESS, OrderNews

_TYPES = {
    "state": "text",
    "line": "text",
    "merchant": "text",
    "city": "text",
    "currency": "text",
    "amount_due": "numeric",
    "amount_paid": "numeric",
    "amount_refunded": "numeric",
    "placed_at": "timestamptz",
    "due_at": "timestamptz",
    "starts_at": "timestamptz",
    "promised_at": "timestamptz",
    "fulfilled_at": "timestamptz",
}
_FACTS = [one.name for one in fields(OrderNews) if one.name not in ("number", "told_at")]
_EMPTY = {"merchant": "''", "city": "''", "line": "'other'", "currency": "'CNY'"}
_EMPTY |= dict.fromkeys(("amount_due", "amount_paid", "amount_refunded"), "0")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)

_COLUMNS = {"customer_id": "bigint", "number": "text", "told_at": "timestamptz", "told": "jsonb", **_TYPES}
_TOLD = "(SELECT * FROM unnest({arrays}) AS u ({names}))".format(
    arrays=", ".join(f"%({name})s::{kind}[]" for name, kind in _COLUMNS.items()), names=", ".join(_COLUMNS)
)
# A row that nothing has been said about yet, so that the update below treats new and known orders alike. What
# `told` does not name of it was never said, unlike in rows that came about in another way.
_OPEN = """
INSERT INTO customers_order (customer_id, number, line, merchant, city, state, currency,
    amount_due, amount_paid, amount_refunded, told_at, told)
SELECT t.customer_id, t.number, 'other', '', '', 'placed', 'CNY', 0, 0, 0, '-infinity', '{"opened": 0}'
FROM unnest(%s::bigint[], %s::text[]) AS t (customer_id, number) ORDER BY t.number
ON CONFLICT (number) DO NOTHING
"""


def _later(name: str) -> str:
    """Return the condition that what is told of `name` goes before what is known of it.

    Of two statements made at one moment the state further along stands, else the greater value. Orders that
    no event opened have the moment of their last statement for what they are.
    """
    known = f"nullif(o.{name}, {_EMPTY[name]})" if name in _EMPTY else f"o.{name}"
    since = (
        f"coalesce((o.told ->> '{name}')::numeric, CASE WHEN o.told ? 'opened' OR {known} IS NULL "
        "THEN '-infinity'::numeric "
        "ELSE extract(epoch FROM o.told_at) * 1000000 END)"
    )
    if name == "state":
        further = (
            "array_position(%(progress)s::text[], t.state) "
            "> array_position(%(progress)s::text[], o.state::text)"
        )
    elif _TYPES[name] == "text":
        further = f'(o.{name} IS NULL OR t.{name} COLLATE "C" > o.{name} COLLATE "C")'
    else:
        further = f"(o.{name} IS NULL OR t.{name} > o.{name})"
    at = f"(t.told ->> '{name}')::numeric"
    return f"(t.{name} IS NOT NULL AND ({at} > {since} OR ({at} = {since} AND {further})))"


_MOVE = f"""
UPDATE customers_order o SET
    {", ".join(f"{name} = CASE WHEN n.{name}_later THEN n.{name} ELSE o.{name} END" for name in _TYPES)},
    told = o.told || jsonb_strip_nulls(jsonb_build_object(
        {", ".join(f"'{name}', CASE WHEN n.{name}_later THEN n.told -> '{name}' END" for name in _TYPES)})),
    told_at = greatest(n.told_at, o.told_at)
FROM (SELECT t.*, {", ".join(f"{_later(name)} AS {name}_later" for name in _TYPES)}
    FROM {_TOLD} t JOIN customers_order o ON o.number = t.number) n
WHERE o.number = n.number AND o.customer_id = n.customer_id
"""
# Looked up, not remembered: an order's day may turn out to be another one than was said at first.
_LAST_ORDER = """
UPDATE customers_customer c SET last_order_at = t.placed_at
FROM (SELECT k.id, (SELECT max(o.placed_at) FROM customers_order o WHERE o.customer_id = k.id) AS placed_at
    FROM unnest(%s::bigint[]) AS k (id)) t
WHERE c.id = t.id AND t.placed_at IS NOT NULL AND c.last_order_at IS DISTINCT FROM t.placed_at
"""


def foreign_orders(owners: dict[str, int]) -> dict[str, int]:
    """Return who owns the known ones among the orders {number: customer} if it is somebody else."""
    if not owners:
        return {}
    known = Order.objects.filter(number__in=list(owners)).values_list("number", "customer_id")
    return {number: owner for number, owner in known if owners[number] != owner}


@dataclass
class _Told:
    """What is said of one order, each fact with when it was told."""

    customer_id: int
    told_at: datetime
    facts: dict[str, Any] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)

    def hear(self, news: OrderNews) -> None:
        """Take what `news` says where nothing later was said."""
        self.told_at = max(self.told_at, news.told_at)
        moment = (news.told_at - _EPOCH) // _TICK
        for name in _FACTS:
            value = getattr(news, name)
            if value is None:
                continue
            before = self.told.get(name)
            if before is None or (moment, _rank(name, value)) > (before, _rank(name, self.facts[name])):
                self.facts[name], self.told[name] = value, moment


def project_orders(told: Sequence[tuple[int, OrderNews]]) -> int:
    """Write what `told`, pairs of customer and news, say about orders; return how many orders that are."""
    heard: dict[str, _Told] = {}
    for customer_id, news in told:
        if news.number not in heard:
            heard[news.number] = _Told(customer_id, news.told_at)
        heard[news.number].hear(news)
    if not heard:
        return 0
    rows = list(heard.values())
    values: dict[str, Any] = {name: [row.facts.get(name) for row in rows] for name in _TYPES}
    values |= {
        "customer_id": [row.customer_id for row in rows],
        "number": list(heard),
        "told_at": [row.told_at for row in rows],
        "told": [Jsonb(row.told) for row in rows],
        "progress": PROGRESS,
    }
    placed = sorted({row.customer_id for row in rows if "placed_at" in row.facts})
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, [values["customer_id"], values["number"]])
        # The orders are locked in one order whoever comes, so two batches cannot wait for each other.
        cursor.execute(
            "SELECT 1 FROM customers_order WHERE number = ANY(%s) ORDER BY number FOR NO KEY UPDATE",
            [values["number"]],
        )
        cursor.execute(_MOVE, values)
        if placed:
            cursor.execute(_LAST_ORDER, [placed])
    return len(heard)


def _rank(name: str, value: Any) -> Any:
    return PROGRESS.index(value) if name == "state" else value
