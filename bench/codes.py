"""A login code from accepted to handed over, alone and beside a campaign, with the workers of ./run."""

import os
import random
import sys
import time

from django.db import connection

from bench.accept import accept_code, codes_for
from bench.processes import Sink, end, say, start
from bench.table import Figure, measured, percentile
from bench.world import World
from notifyhub.messaging.models import Batch, DeliveryEvent, Dispatch

QUEUES = ("realtime", "bulk", "housekeeping")
PATIENCE = 900


class Stack:
    """The workers and the clock as notifyhub.supervise.stack starts them."""

    def __init__(self) -> None:
        celery = ("-m", "celery", "--quiet", "-A", "notifyhub")
        env = os.environ | {"PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges"}
        # Standard output is for the figures.
        options = {"env": env, "stdout": sys.stderr}
        self.processes = []
        for queue in QUEUES:
            children = 2 if queue == "bulk" and (os.cpu_count() or 1) > 2 else 1
            words = ("worker", "-Q", queue, "-n", f"bench-{queue}@%h", "-c", str(children))
            self.processes.append(start(*celery, *words, "--without-gossip", "--without-mingle", **options))
        self.processes.append(start(*celery, "beat", "--pidfile=", **options))

    def close(self) -> None:
        """Stop them."""
        end(self.processes, patience=40)


def now() -> float:
    """Return the database's time, by which events are dated."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        return float(cursor.fetchone()[0])


def wait_until(question: str, happened: object) -> None:
    """Return when `happened()`; raise if it does not for a long time."""
    assert callable(happened)
    until = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > until:
            raise TimeoutError(f"waited in vain for {question}")
        time.sleep(0.05)


def send_codes(count: int, *, apart: float) -> list[tuple[float, float]]:
    """Accept so many codes, about `apart` seconds apart; return when each was accepted, and its seconds
    until it was handed over."""
    asked: dict[int, float] = {}
    for number, contact in enumerate(codes_for(count)):
        moment = now()
        asked[accept_code(contact, f"{number:06d}").pk] = moment
        time.sleep(random.uniform(0.5, 1.5) * apart)
    sent = DeliveryEvent.objects.filter(dispatch_id__in=list(asked), kind=DeliveryEvent.Kind.SENT)
    wait_until("the codes to be handed over", lambda: sent.count() == count)
    return [
        (asked[one.dispatch_id], one.at.timestamp() - asked[one.dispatch_id])
        for one in sent.only("dispatch_id", "at")
    ]


def run(world: World, sink: Sink) -> list[Figure]:
    """Return the figures of codes."""
    world.use("smtp")
    size = world.size
    stack = Stack()
    try:
        say("Login codes, nothing else to do.")
        send_codes(3, apart=0.5)
        alone = send_codes(size.codes, apart=0.05)
        say(f"Login codes beside a campaign to {size.campaign:,}.")
        dispatch = world.accept(world.audience(size.campaign), world.edition())
        done = Batch.objects.filter(dispatch=dispatch, sent__gt=0)
        wait_until("the campaign to begin", done.exists)
        busy = send_codes(size.codes, apart=0.05)
        running = Dispatch.objects.filter(pk=dispatch.pk, state=Dispatch.State.RUNNING)
        ready = Batch.objects.filter(dispatch=dispatch).exclude(state=Batch.State.DONE)
        overlapped = ready.exists()
        wait_until("the campaign to end", lambda: not running.exists())
        world.finish(dispatch)
        dispatch.refresh_from_db()
        last = DeliveryEvent.objects.filter(dispatch_id=dispatch.pk, kind="sent").latest("at").at.timestamp()
        beside = [seconds for moment, seconds in busy if moment < last]
    finally:
        stack.close()
    note = f"{len(beside)} of {len(busy)} codes while it ran" + ("" if overlapped else "; it ended first")
    calm = [seconds for _, seconds in alone]
    return [
        measured("login code to handed over, alone, p50", [percentile(calm, 0.5)], "s", more=False),
        measured("login code to handed over, alone, p99", [percentile(calm, 0.99)], "s", more=False),
        measured(
            f"login code beside a campaign to {size.campaign:,}, p50",
            [percentile(beside, 0.5)] if beside else [],
            "s",
            more=False,
            note=note,
        ),
        measured(
            f"login code beside a campaign to {size.campaign:,}, p99",
            [percentile(beside, 0.99)] if beside else [],
            "s",
            target=3,
            aim=1,
            more=False,
        ),
    ]
