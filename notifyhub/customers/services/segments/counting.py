"""How many customers a rule matches, and ten of them."""

from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any

from django.db import connection
from django.utils import timezone

from notifyhub.customers.models import Customer, Segment
from notifyhub.customers.services.audiences import compile_audience
from notifyhub.customers.services.duplicates import with_contacts
from notifyhub.customers.services.limits import time_limit

SECONDS = 3
# Customers and portraits are in memory, where a look-up costs what a step of a scan costs; and a count over a
# million of them may hold the ids of one condition while it looks at the next.
FOR_SETS = {"random_page_cost": "1.1", "work_mem": "96MB"}


@dataclass(frozen=True, kw_only=True)
class Count:
    """A number of customers, when it was true and how long the question took."""

    number: int
    at: datetime
    seconds: float


def rule_of(segment: Segment) -> dict[str, Any]:
    """Return the rule that answers for the segment, whatever its kind."""
    if segment.kind == Segment.Kind.STATIC:
        return {"field": "segment", "operator": "in", "value": [segment.pk]}
    return segment.rule


def count_rule(*, rule: dict[str, Any], seconds: float = SECONDS) -> Count:
    """Return how many active customers match; raise Refused for a bad rule, or beyond the time limit."""
    sql, params = compile_audience(rule)
    started = monotonic()
    with time_limit(seconds=seconds, **FOR_SETS), connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM customers_customer c WHERE {sql}", params)
        number = cursor.fetchone()[0]
    return Count(number=number, at=timezone.now(), seconds=monotonic() - started)


def count_segment(*, segment_id: int, seconds: float = SECONDS) -> Count:
    """Count a saved segment and keep number and time with it; return them."""
    segment = Segment.objects.get(pk=segment_id)
    count = count_rule(rule=rule_of(segment), seconds=seconds)
    Segment.objects.filter(pk=segment_id).update(count=count.number, counted_at=count.at)
    return count


def sample_rule(*, rule: dict[str, Any], size: int = 10, seconds: float = SECONDS) -> list[Customer]:
    """Return at most `size` matching customers, the newest first, with masked contact points."""
    sql, params = compile_audience(rule)
    with time_limit(seconds=seconds), connection.cursor() as cursor:
        cursor.execute(
            f"SELECT c.id FROM customers_customer c WHERE {sql} ORDER BY c.id DESC LIMIT %s", [*params, size]
        )
        ids = [row[0] for row in cursor.fetchall()]
    return list(with_contacts(Customer.objects.filter(pk__in=ids).order_by("-pk")))
