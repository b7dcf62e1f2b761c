"""Leasing and settling: what a row costs the database, message and provider apart."""

from typing import Any

from django.db import connection

from bench.baselines import skip_locked
from bench.cpu import Meter
from bench.processes import say
from bench.table import Figure, measured
from bench.world import World
from notifyhub.messaging.engine.arrays import Bigints, Octets
from notifyhub.messaging.engine.transport import Transport
from notifyhub.messaging.engine.worker import Worker
from notifyhub.messaging.models import Dispatch
from notifyhub.messaging.models.dispatch import Priority

_HOT = """
SELECT coalesce(sum(n_tup_hot_upd), 0)::bigint, coalesce(sum(n_tup_upd), 0)::bigint FROM pg_stat_user_tables
WHERE relid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'messaging_delivery'::regclass)
"""


def without_copies(sql: Any, params: Any) -> Any:
    """Return the parameters without the encrypted copies: the baseline writes the same events, no copies."""
    if not isinstance(params, list):
        return params
    place = next((place for place, one in enumerate(params) if isinstance(one, Octets)), None)
    if place is None:
        return params
    # Before the copies stand whose they are: their batches and their rows.
    return [*params[: place - 2], Bigints(), Bigints(), Octets(), *params[place + 1 :]]


def hot() -> tuple[int, int]:
    """Return how many updates of the ledger were HOT, and how many there were."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT 1")
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(_HOT)
        found: tuple[int, int] = cursor.fetchone()
        return found


def drain(world: World, *, copies: bool) -> tuple[Meter, Dispatch]:
    """Plan some mails and work them off in this process; return what the statements cost."""
    dispatch = world.campaign(world.size.settle_rows)
    transport = Transport()
    try:
        worker = Worker(transport)
        with Meter(None if copies else without_copies) as meter:
            worker.drain(priority=Priority.BULK, seconds=3600)
    finally:
        transport.close()
    return meter, world.finish(dispatch)


def run(world: World) -> list[Figure]:
    """Return the figures of leasing, gates and settling."""
    world.use("null")
    rows: dict[str, list[float]] = {
        name: [] for name in ("ours", "plain", "gates", "caps", "all", "lease", "hot")
    }
    exact = True
    for number in range(world.size.rounds + 1):
        say(f"Lease and settle, {f'round {number}' if number else 'warming up'}.")
        hot_before, all_before = hot()
        meter, dispatch = drain(world, copies=False)
        hot_after, all_after = hot()
        plain = skip_locked.settle(dispatch.sent)
        full, whole = drain(world, copies=True)
        if number == 0:
            continue
        exact = meter.exact
        per_row = 1e6 / dispatch.sent
        rows["ours"].append(meter.cpu("lease", "settle", "between") * per_row)
        rows["plain"].append(plain)
        rows["gates"].append((meter.cpu("gates") + meter.cpu("caps")) * per_row)
        rows["caps"].append(meter.cpu("caps") * per_row)
        rows["lease"].append(meter.cpu("lease") * per_row)
        rows["all"].append(full.cpu() * 1e6 / whole.sent)
        rows["hot"].append(100 * (hot_after - hot_before) / max(1, all_after - all_before))
    unit = "µs" if exact else "µs wall"
    return [
        measured(
            "lease + settle with events, database time a row",
            rows["ours"],
            unit,
            baselines=rows["plain"],
            against="SKIP LOCKED + UPDATE, 500",
            target=0.5,
            aim=0.3,
            more=False,
        ),
        measured("lease alone, database time a row", rows["lease"], unit, more=False),
        measured("HOT share of the ledger's updates", rows["hot"], "%", target=80),
        measured("gates, database time a row", rows["gates"], unit, target=35, more=False),
        measured("of that the cap counters", rows["caps"], unit, more=False),
        measured("everything, copies too, database time a row", rows["all"], unit, more=False),
    ]
