"""Audience rules: a tree of conditions compiled to SQL through registered, typed fields.

A rule is {"all": true}, a condition {"field": f, "operator": o, "value": v}, or a group
{"op": "and" | "or" | "not", "items": [...]}. Nothing of a rule reaches SQL but through a field's own
`compile`, which passes values as parameters.
"""

from contextvars import ContextVar
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.core.registry import segment_fields
from notifyhub.customers.models import Segment

MAX_DEPTH = 6
MAX_CONDITIONS = 60

Compiled = tuple[str, list[Any]]

# Two looks at the index for each list.
_SPAN = """
SELECT min(m.first), max(m.last) FROM unnest(%s::bigint[]) AS s(id), LATERAL (
    SELECT (SELECT min(customer_id) FROM customers_segmentmember WHERE segment_id = s.id) AS first,
           (SELECT max(customer_id) FROM customers_segmentmember WHERE segment_id = s.id) AS last) m
"""

# The saved segments whose rules are being compiled around this one, so that none can contain itself.
_inside: ContextVar[tuple[int, ...]] = ContextVar("segments_inside", default=())


def compile_audience(rule: dict[str, Any], *, inside: tuple[int, ...] = ()) -> Compiled:
    """Return (sql, params): a boolean expression over alias `c` of customers_customer.

    Only active customers match, whatever the rule. `inside` are segments that the rule must not name,
    since it belongs to them. Raises Refused with what is wrong with the rule.
    """
    token = _inside.set((*_inside.get(), *inside))
    try:
        sql, params = _compile(rule, MAX_DEPTH, [MAX_CONDITIONS])
    finally:
        _inside.reset(token)
    return f"c.state = 'active' AND ({sql})", params


def compile_saved(segment_id: int, name: str, rule: dict[str, Any]) -> Compiled:
    """Return (sql, params) of a saved rule that another rule names; raise Refused if it contains itself."""
    inside = _inside.get()
    if segment_id in inside or len(inside) >= MAX_DEPTH:
        raise Refused(_("“%s” contains itself, or segments are nested too deeply.") % name)
    return compile_audience(rule, inside=(segment_id,))


def span_of(rule: dict[str, Any]) -> tuple[int, int] | None:
    """Return the first and the last id that a rule which compiles can mean, or None if only the customers
    themselves can tell. Lists tell: the ids of an import stand together, and nobody beside them need be read.
    """
    if rule.get("op") in ("and", "or"):
        spans = [span_of(item) for item in rule["items"]]
        known = [one for one in spans if one is not None]
        if not known or (rule["op"] == "or" and len(known) < len(spans)):
            return None
        if rule["op"] == "and":
            return max(one[0] for one in known), min(one[1] for one in known)
        return min(one[0] for one in known), max(one[1] for one in known)
    if rule.get("field") != "segment" or rule.get("operator") != "in":
        return None
    value = rule["value"]
    ids = value if isinstance(value, list) else [value]
    if Segment.objects.filter(pk__in=ids).exclude(kind=Segment.Kind.STATIC).exists():
        return None
    with connection.cursor() as cursor:
        cursor.execute(_SPAN, [ids])
        first, last = cursor.fetchone()
    return (first, last) if first is not None else (1, 0)


def _compile(node: Any, depth: int, budget: list[int]) -> Compiled:
    if not isinstance(node, dict) or depth == 0:
        raise Refused(_("This rule is not understood, or nested too deeply."))
    if node.get("all") is True:
        return "TRUE", []
    if "op" in node:
        return _compile_group(node, depth, budget)
    budget[0] -= 1
    if budget[0] < 0:
        raise Refused(_("A rule has at most %d conditions.") % MAX_CONDITIONS)
    field = segment_fields.get(str(node.get("field")))
    if field is None:
        raise Refused(_("Unknown field in the rule: %s") % node.get("field"))
    operator = node.get("operator")
    if operator not in field.operators:
        raise Refused(
            _("“%(field)s” cannot be compared with “%(operator)s”.")
            % {"field": field.label, "operator": operator}
        )
    return field.compile(operator, node.get("value"))


def _compile_group(node: dict[str, Any], depth: int, budget: list[int]) -> Compiled:
    items = node.get("items")
    if node["op"] not in ("and", "or", "not") or not isinstance(items, list) or not items:
        raise Refused(_("A group of conditions is empty."))
    parts: list[str] = []
    params: list[Any] = []
    for item in items:
        sql, values = _compile(item, depth - 1, budget)
        parts.append(f"({sql})")
        params.extend(values)
    if node["op"] == "not":
        # None of them, one by one: so the database can look for each as a set, and not row by row.
        return " AND ".join(f"NOT {part}" for part in parts), params
    return f" {node['op'].upper()} ".join(parts), params
