"""Counting segments over all customers, as the page of a segment does."""

import statistics
from typing import Any

from django.db import connection

from bench.processes import say
from bench.table import Figure, measured
from bench.world import World
from notifyhub.customers.services.segments import count_rule

TIMES = 5


def _is(field: str, operator: str, value: Any) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value}


def _all(*items: dict[str, Any]) -> dict[str, Any]:
    return {"op": "and", "items": list(items)}


def run(world: World) -> list[Figure]:
    """Return the figures of counting: the slowest rule of each sort stands for it."""
    say("Counting segments.")
    members = world.audience(min(1_000, world.people // 2))
    selective = {
        "one city": _is("city", "in", ["城市17"]),
        "a rare tag": _is("tag", "has_any", ["vip"]),
        "a city and a tag": _all(_is("city", "in", ["杭州"]), _is("tag", "has_all", ["vip"])),
        "a list of 1,000": members,
    }
    broad = {
        "everybody": {"all": True},
        "not in three cities": _is("city", "not_in", ["城市17", "城市18", "杭州"]),
        "without a rare tag": _is("tag", "has_none", ["vip"]),
        "half by a tag": _is("tag", "has_any", ["hotel"]),
        "a third by city": _is("city", "in", ["上海"]),
        "not on a list": {"op": "not", "items": [members]},
    }
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE customers_customer, customers_segmentmember")
    return [
        _slowest("segment count, selective", selective, world, target=50),
        _slowest("segment count, broad", broad, world, target=600),
    ]


def _slowest(name: str, rules: dict[str, dict[str, Any]], world: World, *, target: float) -> Figure:
    times: dict[str, list[float]] = {}
    for label, rule in rules.items():
        count_rule(rule=rule, seconds=60)
        times[label] = [count_rule(rule=rule, seconds=60).seconds * 1e3 for _ in range(TIMES)]
    worst = max(times, key=lambda label: statistics.median(times[label]))
    note = f"{world.people:,} customers; slowest of {len(rules)}: {worst}"
    return measured(name, times[worst], "ms", target=target, more=False, note=note)
