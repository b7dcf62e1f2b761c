"""Accepting one message, and leasing from very many dispatches."""

import time

from django.db import connection

from bench import sql
from bench.cpu import Meter
from bench.processes import say
from bench.table import Figure, measured, percentile
from bench.world import World
from notifyhub.customers.models import ContactPoint
from notifyhub.customers.models.consent import Suppression
from notifyhub.messaging.engine.transport import Transport
from notifyhub.messaging.engine.worker import Worker
from notifyhub.messaging.models import Batch, Dispatch
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.services.dispatches import Item, create_dispatch

LEASES = 30


def accept_code(contact: ContactPoint, code: str) -> Dispatch:
    """Accept one login code by mail; return its dispatch."""
    return create_dispatch(
        title="Login code",
        origin_kind="security",
        message_class="transactional",
        chain=[{"channel": "email"}],
        audience={"kind": "items"},
        text={"subject": "Your login code", "body": f"Your code is {code}. It is good for five minutes."},
        priority=Priority.REALTIME,
        items=[Item(item=1, customer_id=contact.customer_id, contact_id=contact.pk)],
    )


def codes_for(count: int) -> list[ContactPoint]:
    """Return as many contact points to write to."""
    silent = Suppression.objects.in_force().values("value_hash")
    points = ContactPoint.objects.filter(kind="email", valid=True).exclude(value_hash__in=silent)
    return list(points.order_by("pk")[:count])


def run(world: World) -> list[Figure]:
    """Return the figures of accepting and leasing."""
    world.use("null")
    say("Accepting one message at a time.")
    times = []
    for number, contact in enumerate(codes_for(world.size.accepts)):
        began = time.perf_counter()
        accept_code(contact, f"{number:06d}")
        times.append((time.perf_counter() - began) * 1e3)
    times = times[len(times) // 10 :]
    Dispatch.objects.filter(origin_kind="security", state=Dispatch.State.RUNNING).update(
        state=Dispatch.State.PAUSED
    )
    return [
        measured("accept one message, p50", [percentile(times, 0.5)], "ms", more=False),
        measured("accept one message, p99", [percentile(times, 0.99)], "ms", more=False),
        _lease_from_many(world),
    ]


def _lease_from_many(world: World) -> Figure:
    count = world.size.live_dispatches
    say(f"Leasing from {count:,} live dispatches.")
    like = world.campaign(20)
    batch = Batch.objects.filter(dispatch=like, state=Batch.State.READY).earliest("pk")
    changes = {"key": "gen_random_uuid()", "origin_kind": "'bench-many'"}
    with connection.cursor() as cursor:
        statement = sql.OLD_DISPATCHES.format(**sql.copied(Dispatch, changes, alias="j"))
        cursor.execute(statement, {"dispatches": count, "like": like.pk})
        made = [row[0] for row in cursor.fetchall()]
        # Batches over rows that are not there: the lease does not look at them, and a window ends them.
        statement = sql.READY_BATCHES.format(**sql.copied(Batch, {"dispatch_id": "d.id"}, alias="b"))
        cursor.execute(statement, {"dispatches": made, "like": batch.pk})
        cursor.execute("ANALYZE messaging_dispatch, messaging_batch")
    times = []
    transport = Transport()
    try:
        worker = Worker(transport)
        for _ in range(LEASES):
            with Meter() as meter:
                worker.drain(priority=Priority.BULK, seconds=0)
            lease = meter.costs.get("lease")
            assert lease is not None
            times.append(lease.wall / lease.calls * 1e3)
    finally:
        transport.close()
        Batch.objects.filter(dispatch_id__in=made).delete()
        Dispatch.objects.filter(pk__in=made).delete()
    world.park(like)
    return measured(
        "one lease from many live dispatches", times[5:], "ms", more=False, note=f"{count:,} dispatches"
    )
