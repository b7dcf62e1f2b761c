"""Orders as the events tell of them.

What is told later goes before what was told earlier, in whatever order the two arrive; a late one only
fills what nobody has said.
"""

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from django.db import connection

from notifyhub.customers.models import Order
from notifyhub.customers.services.events.shapes import PROGRESS, OrderNews

_TYPES = {
    "customer_id": "bigint",
    "number": "text",
    "told_at": "timestamptz",
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
_FACTS = [field.name for field in fields(OrderNews) if field.name not in ("number", "told_at", "state")]
_EMPTY = {"merchant": "''", "city": "''", "line": "'other'", "currency": "''"}
_EMPTY |= dict.fromkeys(("amount_due", "amount_paid", "amount_refunded"), "0")

_TOLD = "(SELECT * FROM unnest({arrays}) AS u ({names}))".format(
    arrays=", ".join(f"%s::{kind}[]" for kind in _TYPES.values()), names=", ".join(_TYPES)
)
# A row that nothing has been said about yet, so that the update below treats new and known orders alike.
_OPEN = f"""
INSERT INTO customers_order (customer_id, number, line, merchant, city, state, currency,
    amount_due, amount_paid, amount_refunded, told_at)
SELECT t.customer_id, t.number, 'other', '', '', 'placed', 'CNY', 0, 0, 0, to_timestamp(0)
FROM {_TOLD} t ORDER BY t.number
ON CONFLICT (number) DO NOTHING
"""
_NEWER = (
    "(t.told_at > o.told_at OR (t.told_at = o.told_at AND (t.state IS NULL "
    "OR array_position(%s::text[], t.state) >= array_position(%s::text[], o.state::text))))"
)


def _set(name: str) -> str:
    known = f"nullif(o.{name}, {_EMPTY[name]})" if name in _EMPTY else f"o.{name}"
    return (
        f"{name} = CASE WHEN t.newer THEN coalesce(t.{name}, o.{name}) "
        f"ELSE coalesce({known}, t.{name}, o.{name}) END"
    )


_MOVE = f"""
UPDATE customers_order o SET
    state = CASE WHEN t.newer THEN coalesce(t.state, o.state) ELSE o.state END,
    {", ".join(_set(name) for name in _FACTS)},
    told_at = greatest(t.told_at, o.told_at)
FROM (SELECT t.*, {_NEWER} AS newer FROM {_TOLD} t JOIN customers_order o ON o.number = t.number) t
WHERE o.number = t.number AND o.customer_id = t.customer_id
"""
_LAST_ORDER = """
UPDATE customers_customer c SET last_order_at = t.placed_at
FROM (SELECT customer_id, max(placed_at) AS placed_at
    FROM unnest(%s::bigint[], %s::timestamptz[]) AS u (customer_id, placed_at) GROUP BY 1) t
WHERE c.id = t.customer_id AND (c.last_order_at IS NULL OR c.last_order_at < t.placed_at)
"""


def foreign_orders(owners: dict[str, int]) -> dict[str, int]:
    """Return who owns the known ones among the orders {number: customer} if it is somebody else."""
    if not owners:
        return {}
    known = Order.objects.filter(number__in=list(owners)).values_list("number", "customer_id")
    return {number: owner for number, owner in known if owners[number] != owner}


def project_orders(told: Sequence[tuple[int, OrderNews]]) -> int:
    """Write what `told`, pairs of customer and news, say about orders; return how many orders that are."""
    folded: dict[str, tuple[int, dict[str, Any]]] = {}
    for customer_id, news in sorted(told, key=lambda pair: _when(pair[1])):
        facts = {name: value for name, value in asdict(news).items() if value is not None}
        _owner, before = folded.get(news.number, (customer_id, {}))
        folded[news.number] = (customer_id, {**before, **facts})
    if not folded:
        return 0
    rows = [{"customer_id": owner, **facts} for owner, facts in folded.values()]
    arrays = [[row.get(name) for row in rows] for name in _TYPES]
    placed = [row for row in rows if row.get("placed_at")]
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, arrays)
        # The orders are locked in one order whoever comes, so two batches cannot wait for each other.
        cursor.execute(
            "SELECT 1 FROM customers_order WHERE number = ANY(%s) ORDER BY number FOR NO KEY UPDATE",
            [list(folded)],
        )
        cursor.execute(_MOVE, [PROGRESS, PROGRESS, *arrays])
        if placed:
            cursor.execute(
                _LAST_ORDER, [[row["customer_id"] for row in placed], [row["placed_at"] for row in placed]]
            )
    return len(folded)


def _when(news: OrderNews) -> tuple[Any, int]:
    return news.told_at, PROGRESS.index(news.state) if news.state else -1
