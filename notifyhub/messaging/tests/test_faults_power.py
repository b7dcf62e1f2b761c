"""The database server loses its power in mid-dispatch, again and again.

A power cut loses what PostgreSQL had committed and not yet written, which is what settling does not wait for.
Killing every process of the server at once loses exactly that: its buffers of the log die with it. What was
written and is only in the cache of the operating system is not lost here; of that PostgreSQL waits for what
must be kept, since `fsync` is on.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.models import Delivery, Dispatch
from notifyhub.messaging.services.dispatches import Item
from notifyhub.messaging.tests.kit.people import planned_crowd, sink_account
from notifyhub.messaging.tests.kit.power import held_before_the_next_window, power
from notifyhub.messaging.tests.kit.processes import celery, lines_of, running, sink, tick_until, wait_for
from notifyhub.messaging.tests.kit.proof import ENDED, assert_honest
from notifyhub.messaging.tests.kit.sending import dispatch_to

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

ROWS = 1000
WINDOW = 100
WORKERS = 2
# Each time twice: the database alone between two windows, when the last settling is not on the disk; and the
# workers with it within a window, when the opening must be.
TIMES = 2
BOUND = TIMES * 2 * WORKERS * WINDOW


def settled() -> int:
    """Return how many messages have their end, as the database says."""
    return Delivery.objects.exclude(state=Delivery.State.PLANNED).count()


def more_than(log: Path, count: int) -> Callable[[], bool]:
    """Return the question whether so many more were handed over."""
    before = len(lines_of(log))
    return lambda: len(lines_of(log)) >= before + count


def test_a_database_that_loses_power_leaves_in_doubt_one_window_of_each_worker(tmp_path: Path) -> None:
    with power(tmp_path) as plug, sink(tmp_path, delay=0.004) as (port, log):
        sink_account(port)
        once = planned_crowd(ROWS, suppressed=7)
        assured = assured_to_the_same(once)
        lost = 0
        for _ in range(TIMES):
            with running(*celery(size=WORKERS), output=tmp_path / "worker.log"):
                tick_until(more_than(log, 100))
                with held_before_the_next_window(plug.url):
                    seen = settled()
                    plug.cut()
                plug.on()
                lost += seen - settled()
                tick_until(more_than(log, 100))
                # Nobody else commits now: a tick would carry the openings to the disk too.
                wait_for(more_than(log, 30))
                plug.cut()
            plug.on()
        with running(*celery(size=WORKERS), output=tmp_path / "worker.log"):
            tick_until(lambda: all(Dispatch.objects.get(pk=one.pk).state in ENDED for one in (once, assured)))
        # Else this proves nothing: committed settlings have been lost, and the engine did not wait for them.
        assert lost
        for dispatch, doubles in ((once, 0), (assured, BOUND)):
            mine = tmp_path / f"{dispatch.pk}.log"
            mine.write_text("".join(f"{one}\n" for one in lines_of(log) if dispatch.key.hex in one))
            found = assert_honest(dispatch, mine, rows=ROWS, unknown=BOUND, doubles=doubles)
            assert found["skipped"] == 7


def assured_to_the_same(other: Dispatch) -> Dispatch:
    """Return a planned dispatch whose messages may be sent once more, to the people of another one."""
    people = Delivery.objects.filter(dispatch_id=other.pk).values_list("customer_id", flat=True)
    items = [Item(item=n, customer_id=one) for n, one in enumerate(people)]
    made = dispatch_to(audience={"kind": "items"}, items=items, message_class="transactional")
    plan_dispatch(dispatch_id=made.pk)
    return made
