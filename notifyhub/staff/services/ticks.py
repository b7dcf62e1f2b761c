"""Periodic work, each under a lease row: one run at a time in the whole house, whatever rings."""

import logging
import os
import socket
import time
from functools import partial
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from notifyhub.core.registry import Tick, ticks
from notifyhub.staff.models import TickLease
from notifyhub.staff.services.alive import kept_alive

logger = logging.getLogger(__name__)

# One statement decides, by the database's clock: the tick is due, and nobody alive holds it. One whose
# process died in the middle is due as soon as its lease has run out: its next time may be hours away.
_TAKE = """
    INSERT INTO staff_ticklease AS lease (name, owner, until, started_at, took_ms, did, error)
    VALUES (%(name)s, %(owner)s, statement_timestamp() + make_interval(secs => %(lease)s),
            statement_timestamp(), 0, 0, '')
    ON CONFLICT (name) DO UPDATE
    SET owner = excluded.owner, until = excluded.until, started_at = excluded.started_at
    WHERE (lease.until IS NULL OR lease.until <= statement_timestamp())
      AND (%(now)s OR lease.owner <> '' OR lease.started_at IS NULL
           OR lease.started_at <= statement_timestamp() - make_interval(secs => %(every)s))
"""


def run_due_ticks(*, due_or_not: bool = False) -> dict[str, int]:
    """Run the ticks that are due and that nobody else runs; return how much each one did.

    A tick that fails is logged, keeps its error on its lease row and is absent from the answer; the
    others run all the same. `due_or_not` runs those too whose time has not come.
    """
    owner = f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid4().hex[:12]}"
    done: dict[str, int] = {}
    for name, tick in ticks.items():
        if _take(name, tick, owner, due_or_not):
            did = _run(name, tick, owner)
            if did is not None:
                done[name] = did
    return done


def _take(name: str, tick: Tick, owner: str, due_or_not: bool) -> bool:
    # Half a second of grace: a tick as frequent as the bell must not miss every second ring by a hair.
    values: dict[str, Any] = {
        "name": name,
        "owner": owner,
        "lease": settings.LEASE_SECONDS,
        "every": max(0.0, tick.every_seconds - 0.5),
        "now": due_or_not,
    }
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, values)
        return cursor.rowcount == 1


def _held(name: str, owner: str) -> QuerySet[TickLease]:
    return TickLease.objects.filter(name=name, owner=owner)


def _extend(name: str, owner: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE staff_ticklease SET until = statement_timestamp() + make_interval(secs => %s)"
            " WHERE name = %s AND owner = %s",
            [settings.LEASE_SECONDS, name, owner],
        )


def _run(name: str, tick: Tick, owner: str) -> int | None:
    begun = time.monotonic()
    did: int | None = None
    error = ""
    try:
        with kept_alive(partial(_extend, name, owner), every=settings.LEASE_SECONDS / 4):
            did = int(tick.run() or 0)
    except Exception as failure:
        logger.exception("The tick %s failed.", name)
        error = f"{type(failure).__name__}: {failure}"[:2000]
    took = int((time.monotonic() - begun) * 1000)
    _held(name, owner).update(
        owner="", until=None, finished_at=Now(), took_ms=took, did=did or 0, error=error
    )
    return did
