"""The window as a whole."""

from collections import defaultdict

from notifyhub.messaging.engine.accounts import Accounts
from notifyhub.messaging.engine.careful import mark_before_render, unmark
from notifyhub.messaging.engine.compose import Composer, Row
from notifyhub.messaging.engine.endings import end_batch
from notifyhub.messaging.engine.lease import Lease, LeasedBatch
from notifyhub.messaging.engine.transport import Transport
from notifyhub.messaging.engine.window.parts import Done, Live
from notifyhub.messaging.engine.window.preparing import prepare
from notifyhub.messaging.engine.window.sending import open_and_send
from notifyhub.messaging.engine.window_sql import needs_of, read_window
from notifyhub.messaging.models import Dispatch

# Rows of a window. Larger ones settle faster and leave more in doubt when a process dies.
WINDOW_ROWS = 100


def run_window(
    lease: Lease,
    batches: list[LeasedBatch],
    *,
    transport: Transport,
    accounts: Accounts,
    composer: Composer,
    take: int,
    careful: bool = False,
) -> Done:
    """Bring up to `take` rows of each batch to their end; return how it went.

    A kill at any moment leaves at most the rows of this window in doubt. `careful` marks its single row
    before rendering it, to find the one that kills its process.
    """
    done = Done()
    by_batch: dict[int, list[Row]] = defaultdict(list)
    needs = needs_of(batches, map(composer.dispatch, {one.dispatch_id for one in batches}))
    for row in read_window(batches, take=take, owner=lease.owner, needs=needs):
        by_batch[row["batch_id"]].append(row)
    live: Live = []
    for batch in batches:
        rows = by_batch.get(batch.id)
        if not rows:
            done.lost.append(batch)
        elif rows[0]["dispatch_state"] == Dispatch.State.CANCELLING or rows[0]["expired"]:
            cancelled = rows[0]["dispatch_state"] == Dispatch.State.CANCELLING
            done.rows += end_batch(batch, cancelled=cancelled, worker=lease.owner)
        elif rows[0]["dispatch_state"] != Dispatch.State.RUNNING or rows[0]["halted"]:
            done.waiting.append(batch)
        else:
            live.append((batch, [row for row in rows if row["id"] is not None]))
    if careful:
        mark_before_render(live)
    plans = prepare(live, accounts=accounts, composer=composer, policies=composer.policies, take=take)
    done.waiting += [plan.batch for plan in plans if plan.starved]
    done.pinned += [plan.batch for plan in plans if plan.starved and plan.pinned]
    if careful and done.waiting:
        unmark(live)
    open_and_send(lease, plans, transport=transport, done=done)
    return done
