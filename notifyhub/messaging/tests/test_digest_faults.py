"""The closing of digests under kill -9, doubled ticks and doubled planning: each message in exactly one."""

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from django.db import connection, connections, transaction

from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.models import Delivery, DigestItem, Dispatch, DispatchItem
from notifyhub.messaging.services.digests.closing import close_due_digests
from notifyhub.messaging.tests.kit.digests import come_due, digests, gathering_version, tell
from notifyhub.messaging.tests.kit.people import make_people
from notifyhub.messaging.tests.kit.processes import running, wait_for
from notifyhub.messaging.tests.kit.sending import drain, memory_account

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

TICK = (
    "-c",
    "import django; django.setup();"
    " from notifyhub.messaging.services.digests.closing import close_due_digests;"
    " print(close_due_digests())",
)
ENV = {"DJANGO_SETTINGS_MODULE": "notifyhub.settings"}
PEOPLE, ROUNDS = 200, 5
State = DigestItem.State


def gather_crowd() -> int:
    """Gather some messages for each of a crowd; return how many."""
    version = gathering_version()
    people = make_people(PEOPLE, version.template.topic)  # type: ignore[arg-type]
    for number in range(ROUNDS):
        tell(version, people, [f"{one.external_id}-{number}" for one in people])
    return come_due()


def assert_each_once(total: int) -> None:
    """Fail unless the gathered messages, the digests' items and what was said are the same set."""
    gathered = set(
        Delivery.objects.filter(state=Delivery.State.GATHERED).values_list("dispatch_id", "dedup_key")
    )
    rows = list(DigestItem.objects.values_list("dispatch_id", "item", "state", "digest_id", "digest_item"))
    assert len(rows) == len(gathered) == total
    assert {row[:2] for row in rows} == gathered
    assert {row[2] for row in rows} == {State.GATHERED}
    named = set(
        DispatchItem.objects.filter(dispatch__origin_kind="digest").values_list("dispatch_id", "item")
    )
    assert {row[3:] for row in rows} == named
    assert len(named) == PEOPLE
    assert set(Counter(row[3:] for row in rows).values()) == {ROUNDS}
    for dispatch in digests():
        plan_dispatch(dispatch_id=dispatch.pk)
    drain()
    assert sorted(one.subject for one in MemoryBackend.outbox) == [f"{ROUNDS} parcels"] * PEOPLE
    assert sum(one.html.count("<li>") for one in MemoryBackend.outbox) == total


def waiting_backends() -> int:
    with connection.cursor() as cursor:
        # Within a transaction what was seen once would be seen for ever.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])


def test_a_tick_killed_in_the_middle_of_closing_has_never_begun(tmp_path: Path) -> None:
    memory_account()
    total = gather_crowd()
    last = DigestItem.objects.order_by("pk").last()
    assert last is not None
    with transaction.atomic():
        DigestItem.objects.select_for_update().get(pk=last.pk)
        with running(*TICK, output=tmp_path / "tick.log", **ENV) as tick:
            # It has made its dispatch and moves the rows; the last one is ours.
            wait_for(lambda: waiting_backends() == 1)
            os.kill(tick.pid, signal.SIGKILL)
            tick.wait()
    wait_for(lambda: waiting_backends() == 0)
    time.sleep(0.2)
    assert not digests()
    assert DigestItem.objects.filter(state=State.WAITING).count() == total
    assert close_due_digests() == PEOPLE
    assert close_due_digests() == 0
    assert_each_once(total)


def test_ticks_at_once_and_one_killed_among_them_close_each_bucket_once(tmp_path: Path) -> None:
    memory_account()
    total = gather_crowd()
    output = tmp_path / "tick.log"
    with (
        running(*TICK, output=output, **ENV) as first,
        running(*TICK, output=output, **ENV) as second,
        running(*TICK, output=output, **ENV) as third,
    ):
        wait_for(lambda: Dispatch.objects.filter(origin_kind="digest").exists() or third.poll() is not None)
        third.kill()
        for one in (first, second):
            one.wait(timeout=60)
    connections.close_all()
    close_due_digests()
    assert len(digests()) == 1
    assert_each_once(total)


def test_a_dispatch_planned_twice_is_gathered_once() -> None:
    memory_account()
    version = gathering_version()
    people = make_people(PEOPLE, version.template.topic)  # type: ignore[arg-type]
    for number in range(ROUNDS):
        dispatch = tell(version, people, [f"{one.external_id}-{number}" for one in people])
        # Planned once more, as a doubled doorbell would.
        assert plan_dispatch(dispatch_id=dispatch.pk)
    assert come_due() == PEOPLE * ROUNDS
    assert close_due_digests() == PEOPLE
    assert_each_once(PEOPLE * ROUNDS)
