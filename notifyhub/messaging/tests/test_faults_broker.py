"""The broker flushed, killed, stopped and full: accepting goes on, and everything is sent in the end."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from notifyhub.messaging.models import Dispatch
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.services.dispatches import Item
from notifyhub.messaging.tests.kit.broker import Broker, broker
from notifyhub.messaging.tests.kit.people import planned_crowd, sink_account
from notifyhub.messaging.tests.kit.processes import celery, lines_of, running, sink, tick_until
from notifyhub.messaging.tests.kit.proof import ENDED, assert_honest
from notifyhub.messaging.tests.kit.sending import dispatch_to, make_recipients

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

ROWS = 1200


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail what hangs for longer."""

    def fail(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"hung for {seconds} seconds")

    before = signal.signal(signal.SIGALRM, fail)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def accept() -> list[Dispatch]:
    """Accept three realtime messages and a bulk one, each with doorbells of its own."""
    people = make_recipients(*["auto"] * 4)
    items = [[Item(item=1, customer_id=one.pk)] for one in people]
    priorities = [Priority.REALTIME] * 3 + [Priority.BULK]
    return [
        dispatch_to(audience={"kind": "items"}, items=one, message_class="transactional", priority=priority)
        for one, priority in zip(items, priorities, strict=True)
    ]


def break_it(server: Broker, fault: str) -> None:
    if fault == "flushed":
        server.client.flushall()
    elif fault == "killed":
        server.kill()
    elif fault == "stopped":
        server.signal(signal.SIGSTOP)
    else:
        server.client.config_set("maxmemory", "1mb")


def mend_it(server: Broker, fault: str) -> None:
    if fault == "killed":
        server.start()
    elif fault == "stopped":
        server.signal(signal.SIGCONT)
    elif fault == "full":
        server.client.config_set("maxmemory", "0")


def test_a_broken_broker_delays_and_loses_nothing(tmp_path: Path) -> None:
    with (
        broker(tmp_path) as server,
        sink(tmp_path, delay=0.004) as (port, log),
    ):
        sink_account(port)
        crowd = planned_crowd(ROWS, suppressed=12)
        accepted: list[Dispatch] = []
        worker = celery(queues="realtime,bulk")
        with running(*worker, output=tmp_path / "worker.log", BROKER_URL=server.url):
            for number, fault in enumerate(("flushed", "killed", "stopped", "full")):
                tick_until(lambda n=number: len(lines_of(log)) >= 100 * (n + 1))  # type: ignore[misc]
                break_it(server, fault)
                # Four acceptances over a silent broker wait for it once, and then leave it alone.
                with within(5):
                    accepted += accept()
                mend_it(server, fault)
            every = [crowd, *accepted]
            tick_until(lambda: all(Dispatch.objects.get(pk=one.pk).state in ENDED for one in every))
        whole = (tmp_path / "accepted.log").read_text()
        for dispatch in every:
            mine = tmp_path / f"{dispatch.pk}.log"
            mine.write_text("".join(f"{line}\n" for line in whole.split("\n") if dispatch.key.hex in line))
            found = assert_honest(dispatch, mine, rows=ROWS if dispatch == crowd else 1)
            assert found["sent"] == (ROWS - 12 if dispatch == crowd else 1)
