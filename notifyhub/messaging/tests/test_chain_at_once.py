"""Looking twice at once, and dying in mid-step: nobody gets a step twice, and nobody loses one."""

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from notifyhub.customers.models import Customer
from notifyhub.customers.tests.factories import make_topic, opt_in
from notifyhub.messaging.engine.chain import look_at_due
from notifyhub.messaging.models import Batch, Delivery, Dispatch
from notifyhub.messaging.services.accounts import create_account
from notifyhub.messaging.tests.kit.chains import (
    TWO_STEPS,
    chained,
    checks,
    memory_accounts,
    pass_time,
    rows_of,
)
from notifyhub.messaging.tests.kit.processes import lines_of, running, sink, wait_for
from notifyhub.messaging.tests.kit.sending import assert_counts_are_the_ledger, dispatch_to, drain
from notifyhub.messaging.tests.test_processes import finish, make_people

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(work: Any, times: int = 3) -> list[Any]:
    """Run `work` in threads that start together; return what they returned."""
    start, found = threading.Barrier(times), []

    def run() -> None:
        start.wait()
        try:
            found.append(work())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_ticks_that_race_plan_each_next_step_once() -> None:
    memory_accounts()
    dispatch = chained(*["auto"] * 12, "reject@mail.example")
    drain()
    # Batches of two, so that there is something to share.
    (batch,) = Batch.objects.filter(dispatch=dispatch, step=0)
    for low in range(batch.lo + 2, batch.hi + 1, 2):
        Batch.objects.create(
            dispatch=dispatch,
            channel="email",
            priority=1,
            lo=low,
            hi=min(low + 1, batch.hi),
            cursor=low + 1,
            open_to=low + 1,
            not_before=batch.not_before,
            state=Batch.State.DONE,
            step=0,
            watch=True,
            check_at=batch.check_at,
        )
    Batch.objects.filter(pk=batch.pk).update(hi=batch.lo + 1)
    pass_time(dispatch)
    assert sum(at_once(look_at_due)) >= 7
    while checks(dispatch):
        look_at_due()
    drain()
    assert len(rows_of(dispatch, 1)) == 13
    assert {row.state for row in rows_of(dispatch, 1)} == {Delivery.State.SENT}
    assert Dispatch.objects.get(pk=dispatch.pk).state == Dispatch.State.FINISHED


@pytest.mark.processes
def test_kill_9_in_the_middle_of_the_second_step_loses_nobody_and_doubles_nobody(tmp_path: Path) -> None:
    memory_accounts()
    output = tmp_path / "worker.log"
    with sink(tmp_path, delay=0.004) as (port, accepted):
        values = {
            "host": "127.0.0.1",
            "port": port,
            "security": "none",
            "from_email": "news@shop.example",
            "connections": 2,
        }
        create_account(channel="email", backend="smtp", name="Sink", priority=1, values=values)
        topic = make_topic()
        make_people(300, topic)
        for one in Customer.objects.all():
            opt_in(one, topic, "inbox")
        chain = [{"channel": "inbox", "wait": 0, "until": "read"}, {"channel": "email"}]
        dispatch = dispatch_to(chain=chain, topic=topic)
        for _time in range(2):
            before = len(lines_of(accepted))
            with running("manage.py", "run_worker_once", output=output) as worker:
                wait_for(lambda b=before, w=worker: len(lines_of(accepted)) >= b + 30 or w.poll() is not None)  # type: ignore[misc]
                worker.kill()
        finish(dispatch, output)
        handed = Counter(line.split()[1] for line in lines_of(accepted))
    second = Counter(row.state for row in rows_of(dispatch, 1))
    assert len(rows_of(dispatch, 0)) == sum(second.values()) == 300
    assert set(second) <= {Delivery.State.SENT, Delivery.State.UNKNOWN}
    assert max(handed.values()) == 1
    assert second[Delivery.State.SENT] <= len(handed) <= 300
    assert_counts_are_the_ledger(dispatch)


def test_a_look_that_died_half_way_is_done_again_by_the_next_tick() -> None:
    memory_accounts()
    dispatch = chained("auto", "reject@mail.example", chain=TWO_STEPS)
    drain()
    pass_time(dispatch)
    # What a killed process had not committed is not there; the batch is due as before.
    with transaction.atomic():
        assert look_at_due()
        assert len(rows_of(dispatch, 1)) == 2
        transaction.set_rollback(True)
    assert [row.dedup_key for row in rows_of(dispatch, 1)] == [rows_of(dispatch, 0)[1].dedup_key]
    drain()
    assert len(rows_of(dispatch, 1)) == 2
    assert_counts_are_the_ledger(dispatch)
