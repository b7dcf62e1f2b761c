"""Two dispatches, two real workers, one cap: nobody is written to once too often, whoever is killed."""

import subprocess
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from threading import Event as Flag
from threading import Thread

import pytest
from django.db import connection, transaction
from django.utils import timezone

from notifyhub.customers.tests.factories import make_topic
from notifyhub.messaging.engine.asks import Ask, Refusal
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.engine.reaper import reap_expired_leases
from notifyhub.messaging.engine.reserve import Claim, Taken, give_back, reserve
from notifyhub.messaging.engine.respects import cap_respect
from notifyhub.messaging.models import Batch, Delivery, Dispatch, SendCount
from notifyhub.messaging.services.accounts import create_account
from notifyhub.messaging.tests.kit.limits import assert_counters_are_the_ledger, limit, today
from notifyhub.messaging.tests.kit.processes import lines_of, running, sink, wait_for
from notifyhub.messaging.tests.kit.sending import assert_counts_are_the_ledger, dispatch_to, reasons
from notifyhub.messaging.tests.test_processes import make_people

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

PEOPLE = 400
ONCE = ("manage.py", "run_worker_once")
MAY_HAVE_GONE = (Delivery.State.SENT, Delivery.State.UNKNOWN)


def two_dispatches(port: int) -> list[Dispatch]:
    """Return two planned dispatches to the same people, of whom each may get one message a day."""
    values = {"host": "127.0.0.1", "port": port, "security": "none", "from_email": "news@shop.example"}
    create_account(channel="email", backend="smtp", name="Sink", values={**values, "connections": 2})
    limit(cap_day=1, duplicate_hours=24)
    topic = make_topic()
    make_people(PEOPLE, topic)
    made = [
        dispatch_to(topic=topic, text={"subject": "Noodles", "body": body}) for body in ("First", "Second")
    ]
    for dispatch in made:
        plan_dispatch(dispatch_id=dispatch.pk)
        assert Delivery.objects.filter(dispatch_id=dispatch.pk, state=0).count() == PEOPLE
    return made


def work_together(stack: ExitStack, folder: Path) -> list["subprocess.Popen[bytes]"]:
    return [stack.enter_context(running(*ONCE, output=folder / f"{n}.log")) for n in (1, 2)]


def assert_nobody_over_the_cap(log: Path) -> None:
    rows = Delivery.objects.filter(state__in=MAY_HAVE_GONE).values_list("customer_id", flat=True)
    assert max(Counter(rows).values()) == 1
    assert max(Counter(line.split()[0] for line in lines_of(log)).values()) == 1
    assert_counters_are_the_ledger()


def test_two_workers_with_one_cap_between_them_pass_it_for_nobody(tmp_path: Path) -> None:
    with sink(tmp_path, delay=0.002) as (port, log):
        made = two_dispatches(port)
        with ExitStack() as stack:
            for worker in work_together(stack, tmp_path):
                worker.wait(timeout=60)
        assert len(lines_of(log)) == PEOPLE
        assert_nobody_over_the_cap(log)
    # Both got to send: it was a race.
    assert all(0 < reasons(dispatch)["cap_day"] < PEOPLE for dispatch in made)
    assert sum(reasons(dispatch)["cap_day"] for dispatch in made) == PEOPLE
    for dispatch in made:
        assert_counts_are_the_ledger(dispatch)


def test_what_a_killed_worker_had_opened_stays_counted(tmp_path: Path) -> None:
    with sink(tmp_path, delay=0.01) as (port, log):
        made = two_dispatches(port)
        with ExitStack() as stack:
            workers = work_together(stack, tmp_path)
            wait_for(lambda: len(lines_of(log)) >= 20)
            for worker in workers:
                worker.kill()
        wait_for(lambda: reap_expired_leases() >= 1 and not Batch.objects.filter(state=1).exists())
        doubt = Delivery.objects.filter(state=Delivery.State.UNKNOWN).count()
        assert doubt
        assert SendCount.objects.filter(respect=cap_respect("promotional", ""), used=1).count() >= doubt
        assert_counters_are_the_ledger()
        Batch.objects.filter(state=Batch.State.READY).update(not_before=timezone.now())
        with ExitStack() as stack:
            for worker in work_together(stack, tmp_path):
                worker.wait(timeout=60)
        assert_nobody_over_the_cap(log)
    assert not Delivery.objects.filter(state=Delivery.State.PLANNED).exists()
    for dispatch in made:
        assert_counts_are_the_ledger(dispatch)


def count_once() -> Iterable[Taken]:
    """Count customer 7, who may be counted twice a day."""
    claim = Claim(customer_id=7, day=today(), asks=(Ask(respect=1, days=1, cap_day=2),))
    with transaction.atomic():
        (taken,) = reserve([claim], moment=timezone.now())
    assert not isinstance(taken, Refusal)
    return taken


@pytest.mark.parametrize("first", ["count", "give back"])
def test_counting_and_giving_back_at_once_lose_neither(first: str) -> None:
    earlier = count_once()
    begun, go_on = Flag(), Flag()
    kept: list[Taken] = []
    steps = {"count": lambda: kept.extend(count_once()), "give back": lambda: give_back(earlier)}
    second = steps.pop("give back" if first == "count" else "count")

    def hold() -> None:
        try:
            with transaction.atomic():
                steps[first]()
                begun.set()
                go_on.wait(10)
        finally:
            connection.close()

    def follow() -> None:
        try:
            second()
        finally:
            connection.close()

    holder, follower = Thread(target=hold), Thread(target=follow)
    holder.start()
    assert begun.wait(10)
    follower.start()
    wait_for(lambda: blocked() == 1)
    go_on.set()
    holder.join(10)
    follower.join(10)
    assert [(one.used, one.at) for one in SendCount.objects.all()] == [(1, kept[0].at)]


def blocked() -> int:
    """Return how many wait for somebody's lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])
