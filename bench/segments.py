"""Counting segments over all customers, as the page of a segment does."""

import statistics
from typing import Any

from django.db import connection

from bench import traits
from bench.processes import say
from bench.table import Figure, measured
from bench.world import World
from notifyhub.customers.models import CustomerTrait
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
    traits.prepare(world)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE customers_customer, customers_segmentmember, customers_customertrait")
    return [
        _slowest("segment count, selective", selective, world, target=50),
        _slowest("segment count, broad", broad, world, target=600),
        _slowest("segment count by traits, selective", _few(), world, target=50),
        _slowest("segment count by traits, broad", _many(), world, target=600),
    ]


def _few() -> dict[str, dict[str, Any]]:
    merchant = CustomerTrait.objects.exclude(favourite_merchant="").values_list(
        "favourite_merchant", flat=True
    )
    return {
        "spend, 90 days at least 4,000": _is("spend_90", "at_least", 4_000),
        "orders ever between 28 and 40": _is("orders_total", "between", [28, 40]),
        "a favourite merchant": _is("favourite_merchant", "in", [merchant[0]]),
        "seen in the last day": _is("last_seen", "within_days", 1),
        "a city of the last order, cooling": _all(
            _is("last_city", "in", ["城市17"]), _is("stage", "in", ["cooling"])
        ),
        "cooling in one city": _all(_is("city", "in", ["城市17"]), _is("stage", "in", ["cooling"])),
    }


def _many() -> dict[str, dict[str, Any]]:
    cooling = _is("stage", "in", ["cooling"])
    return {
        "cooling": cooling,
        "not cooling": _is("stage", "not_in", ["cooling"]),
        "spend, 90 days at least 500": _is("spend_90", "at_least", 500),
        "spend, 90 days at most 100": _is("spend_90", "at_most", 100),
        "best channel push": _is("best_channel", "in", ["push"]),
        "evening people": _is("favourite_hour", "between", [18, 22]),
        "not seen for 60 days": _is("last_seen", "not_within_days", 60),
        "spent 1,000 or a tag": {
            "op": "or",
            "items": [_is("spend_total", "at_least", 1_000), _is("tag", "has_any", ["hotel"])],
        },
        "cooling or a tag": {"op": "or", "items": [cooling, _is("tag", "has_any", ["hotel"])]},
        "none of two": {"op": "not", "items": [cooling, _is("spend_total", "at_least", 1_000)]},
    }


def _slowest(name: str, rules: dict[str, dict[str, Any]], world: World, *, target: float) -> Figure:
    times: dict[str, list[float]] = {}
    for label, rule in rules.items():
        count_rule(rule=rule, seconds=60)
        times[label] = [count_rule(rule=rule, seconds=60).seconds * 1e3 for _ in range(TIMES)]
    worst = max(times, key=lambda label: statistics.median(times[label]))
    note = f"{world.people:,} customers; slowest of {len(rules)}: {worst}"
    return measured(name, times[worst], "ms", target=target, more=False, note=note)
