"""Planning: everybody judged by every gate and written to the ledger."""

import time
from collections.abc import Callable
from typing import Any

from bench.baselines import python_rules
from bench.cpu import Meter
from bench.processes import say
from bench.table import Figure, measured
from bench.world import World
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.models import Delivery, Dispatch
from notifyhub.messaging.services.dispatches import forecast


def timed(work: Callable[[], Any]) -> tuple[float, float, float]:
    """Return seconds, processor seconds of the database, and of this process."""
    began, cpu = time.perf_counter(), time.process_time()
    with Meter() as meter:
        work()
    return time.perf_counter() - began, meter.cpu(), time.process_time() - cpu


def run(world: World) -> list[Figure]:
    """Return the figures of planning."""
    size, people = world.size, world.people
    world.park(world.campaign(min(2_000, people // 3)))
    python_rules.plan(world.accept({"all": True}, world.edition()), people=500)
    ours: list[tuple[float, float, float]] = []
    plain: list[tuple[float, float, float]] = []
    forecasts: list[float] = []
    inserted_again = 0
    for number in range(size.rounds):
        say(f"Planning {people:,} customers, round {number + 1}.")
        version = world.edition()
        dispatch = world.accept({"all": True}, version)
        ours.append(timed(lambda dispatch=dispatch: plan_dispatch(dispatch_id=dispatch.pk)))  # type: ignore[misc]
        rows = Delivery.objects.filter(dispatch_id=dispatch.pk)
        planned = rows.count()
        assert planned == people, f"{planned} rows for {people} customers"
        # The doorbell rings once more, as if its first answer had been lost.
        Dispatch.objects.filter(pk=dispatch.pk).update(state=Dispatch.State.PLANNING)
        plan_dispatch(dispatch_id=dispatch.pk)
        inserted_again += rows.count() - planned
        assert inserted_again == 0, f"planning again inserted {inserted_again} rows"
        world.park(dispatch)
        began = time.perf_counter()
        found = forecast(
            message_class="promotional",
            chain=[{"channel": "email"}],
            audience={"kind": "rule", "rule": {"all": True}},
            topic=world.topic,
            template_version=version,
        )
        forecasts.append(time.perf_counter() - began)
        assert found.total == people
        baseline = world.accept({"all": True}, version)
        plain.append(
            timed(lambda baseline=baseline: python_rules.plan(baseline, people=size.plan_baseline))  # type: ignore[misc]
        )
        world.park(baseline)
    less = size.plan_baseline
    return [
        measured(
            "plan, every gate on",
            [people / one[0] for one in ours],
            "rows/s",
            baselines=[less / one[0] for one in plain],
            against="Python rules + bulk_create",
            target=5,
            note=f"{people:,} customers",
        ),
        measured(
            "plan, processor time a row, database and program",
            [(one[1] + one[2]) / people * 1e6 for one in ours],
            "µs",
            baselines=[(one[1] + one[2]) / less * 1e6 for one in plain],
            against="Python rules + bulk_create",
            more=False,
        ),
        measured("plan again: rows inserted", [inserted_again], "rows", target=0, more=False),
        measured("forecast of everybody", forecasts, "s"),
    ]
