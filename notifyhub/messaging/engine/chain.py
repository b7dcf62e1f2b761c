"""The fallback chain: looking at what became of a step, and planning the next one for whom it is needed.

A batch of a step that has a later one is looked at when it is done (`check_at`): for certain failures at
once, for what was handed over when its wait is over. One statement plans the next step's messages and their
batches and moves `check_at`; the rows of a batch are looked at through the batch they were planned in, one
look of a dispatch at a time, so nobody is planned for twice. The unique key (dispatch, dedup key, step)
stands behind that.
"""

import json
import logging
import time
from collections.abc import Sequence
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.db.models import F, Func, Max, Value
from django.utils import timezone

from notifyhub.core.errors import Refused
from notifyhub.messaging.engine import bells, chain_sql
from notifyhub.messaging.engine.chain_rules import due_values
from notifyhub.messaging.engine.gates import gates_for_named
from notifyhub.messaging.engine.plan_sql import judged_sql
from notifyhub.messaging.models import Batch, Dispatch
from notifyhub.messaging.models.dispatch import ID_BLOCK

logger = logging.getLogger(__name__)
State = Dispatch.State

# Batches of one dispatch and step that one statement looks at: up to ten thousand people.
GROUP = 20
GROUPS = 200
SIDES = 1000
SECONDS = 3.0
# Below this number of the advisory locks lies the dispatch.
LOCK = 0x6368
HIGHEST_ID = 2**62


def look_at_due(*, seconds: float = SECONDS) -> int:
    """Look at the batches that are due for about `seconds`, dispatches in turn; return how many it were."""
    close_looks()
    looked = 0
    until = time.monotonic() + seconds
    while True:
        _wake_planned_batches()
        groups, before = _due_groups(), looked
        for dispatch_id, step, batches, most in groups:
            looked += _look_carefully(dispatch_id, step, batches, most)
            if time.monotonic() >= until:
                return looked
        if looked == before:
            return looked


def close_looks() -> int:
    """Wait for nothing more in dispatches that are cancelled or have expired; return how many waits ended."""
    with connection.cursor() as cursor:
        cursor.execute(chain_sql.CLOSE)
        return cursor.rowcount


def wake_for_failures(*, dispatches: Sequence[int], ids: Sequence[int]) -> None:
    """Have the next step looked for after failures of these messages that were reported late."""
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(chain_sql.WAKE_FAILED, {"dispatches": list(dispatches), "ids": list(ids)})


def _wake_planned_batches() -> None:
    with connection.cursor() as cursor:
        cursor.execute(chain_sql.WAKE, {"sides": SIDES})


def _due_groups() -> list[tuple[int, int, list[int], int]]:
    with connection.cursor() as cursor:
        cursor.execute(chain_sql.DUE_LOOKS, {"group": GROUP, "groups": GROUPS})
        return cursor.fetchall()


def _look_carefully(dispatch_id: int, step: int, batches: list[int], most: int) -> int:
    """Look; what cannot be looked at now is postponed, so that it keeps nobody else waiting."""
    try:
        return look(dispatch_id=dispatch_id, step=step, batches=batches, most=most)
    except (DatabaseError, Refused):
        logger.exception("Dispatch %s cannot be led to the step after %s", dispatch_id, step)
        with connection.cursor() as cursor:
            cursor.execute(chain_sql.POSTPONE, {"batches": batches})
        return 0


@transaction.atomic
def look(*, dispatch_id: int, step: int, batches: list[int], most: int) -> int:
    """Plan what follows on these batches of one step, each of at most `most` rows; return how many were due.

    Doing it again, or twice at once, changes nothing: what is looked at is not due any more.
    """
    with connection.cursor() as cursor:
        # One look of a dispatch at a time: two would use the same ids. It ends with the transaction.
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [LOCK, dispatch_id % 2**31])
        if not cursor.fetchone()[0]:
            return 0
        dispatch = Dispatch.objects.select_related("topic").defer("text").get(pk=dispatch_id)
        over = dispatch.expires_at is not None and dispatch.expires_at <= timezone.now()
        if dispatch.state != State.RUNNING or over or step + 1 >= len(dispatch.chain):
            Batch.objects.filter(pk__in=batches).update(check_at=None)
            return len(batches)
        # Without sorting where it can be helped: see LOOKED.
        cursor.execute("SET LOCAL jit = off; SET LOCAL work_mem = '32MB'; SET LOCAL enable_sort = off")
        base, block = _ids_for(cursor, dispatch, rows=len(batches) * most)
        statement, values = _statement(dispatch, step)
        cursor.execute(statement, {**values, "batches": batches, "most": most, "base": base})
        looked, written, sendable = cursor.fetchone()
    if written and block is not None:
        appended = Func(F("blocks"), Value(block), function="array_append")
        Dispatch.objects.filter(pk=dispatch_id).update(blocks=appended)
    if sendable:
        bells.ring_for(dispatch.priority)
    return int(looked)


def _statement(dispatch: Dispatch, step: int) -> tuple[str, dict[str, Any]]:
    gates = gates_for_named(dispatch)
    judged, values = judged_sql(
        gates, low=-1, high=HIGHEST_ID, earlier=True, people=chain_sql.PEOPLE, after=step
    )
    statement = f"WITH {chain_sql.LOOKED},\n{judged.removeprefix('WITH ')},\n{chain_sql.WRITTEN}"
    return statement, {
        **values,
        **due_values(chain=dispatch.chain, step=step, message_class=dispatch.message_class),
        "chain": json.dumps(dispatch.chain),
        "items": dispatch.audience.get("kind") == "items",
        "priority": dispatch.priority,
        "last": len(dispatch.chain) - 1,
        "expires": dispatch.expires_at,
    }


def _ids_for(cursor: Any, dispatch: Dispatch, *, rows: int) -> tuple[int, int | None]:
    """Return the first of enough free ids, and the new block they are from if the last has no room."""
    if dispatch.blocks:
        last = dispatch.blocks[-1]
        used = Batch.objects.filter(dispatch=dispatch, ids=None, lo__gte=last).aggregate(highest=Max("hi"))
        free = max(last, (used["highest"] or last - 1) + 1)
        if free + rows <= last + ID_BLOCK:
            return free, None
    cursor.execute("SELECT nextval('messaging_delivery_block')")
    block = int(cursor.fetchone()[0])
    return block, block
