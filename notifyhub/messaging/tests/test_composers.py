"""What the leases of one campaign have in common is read once, and never for long."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.engine.transport import Transport
from notifyhub.messaging.engine.worker import COMPOSER_SECONDS, Worker
from notifyhub.messaging.models import Batch, Delivery, Dispatch, SenderIdentity
from notifyhub.messaging.models.dispatch import ID_BLOCK, Priority
from notifyhub.messaging.services.templates import publish
from notifyhub.messaging.tests.factories import make_template
from notifyhub.messaging.tests.kit.limits import limit
from notifyhub.messaging.tests.kit.sending import dispatch_to, make_recipients, memory_account, states

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker() -> Iterator[Worker]:
    memory_account()
    transport = Transport()
    yield Worker(transport)
    transport.close()


def planned(*emails: str, **fields: Any) -> Dispatch:
    make_recipients(*emails, topic=fields.get("topic"))
    dispatch = dispatch_to(**fields)
    plan_dispatch(dispatch_id=dispatch.pk)
    return dispatch


def put_off(dispatch: Dispatch, *, move: int = 0) -> Batch:
    """Leave one row to the dispatch's batch and return a batch of the others, due tomorrow; `move` goes onto
    the ids of those."""
    first = Batch.objects.get(dispatch=dispatch)
    rows = Delivery.objects.filter(dispatch_id=dispatch.pk, id__gt=first.lo)
    for row in rows.order_by("id") if move else ():
        Delivery.objects.filter(dispatch_id=dispatch.pk, id=row.pk).update(id=row.pk + move)
    rest = Batch.objects.get(pk=first.pk)
    rest.pk = None
    rest.lo, rest.hi = first.lo + 1 + move, first.hi + move
    rest.cursor = rest.open_to = first.lo + move
    rest.not_before = timezone.now() + timedelta(days=1)
    rest.save(force_insert=True)
    Batch.objects.filter(pk=first.pk).update(hi=first.lo)
    return rest


def go_on_with(worker: Worker, rest: Batch) -> int:
    """Let the worker send the rest now; return how many rows ended."""
    Batch.objects.filter(pk=rest.pk).update(not_before=timezone.now())
    return worker.drain(priority=Priority.BULK, seconds=5)


def go_on(worker: Worker, rest: Batch) -> list[str]:
    """Let the worker send the first batch and then the rest; return the statements for the rest."""
    assert worker.drain(priority=Priority.BULK, seconds=5) == 1
    said: list[str] = []

    def listen(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        said.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(listen):
        go_on_with(worker, rest)
    return said


def test_leases_that_follow_each_other_read_the_senders_once(worker: Worker) -> None:
    dispatch = planned("auto", "auto", "auto")
    said = go_on(worker, put_off(dispatch))
    assert states(dispatch) == {"sent": 3}
    read = ("messaging_senderidentity", 'FROM "messaging_dispatch"')
    assert not [one for one in said if any(name in one for name in read)]


def test_a_sender_that_was_changed_is_known_within_a_second(worker: Worker) -> None:
    dispatch = planned("auto", "auto")
    rest = put_off(dispatch)
    assert worker.drain(priority=Priority.BULK, seconds=5) == 1
    SenderIdentity.objects.create(channel="email", from_name="觅食", from_email="hi@shop.example")
    time.sleep(COMPOSER_SECONDS + 0.05)
    go_on_with(worker, rest)
    assert [one.sender.name for one in MemoryBackend.outbox] == ["", "觅食"]


def test_a_policy_that_was_changed_holds_with_the_next_lease(worker: Worker) -> None:
    """Night that was lifted must put nobody off for hours any more."""
    dispatch = planned("auto", "auto")
    rest = put_off(dispatch)
    assert worker.drain(priority=Priority.BULK, seconds=5) == 1
    limit(channels=["sms"])
    go_on_with(worker, rest)
    assert states(dispatch) == {"sent": 1, "skipped": 1}


def test_what_another_dispatch_knows_is_not_taken_for_its_own(worker: Worker) -> None:
    make_recipients("auto")
    for number in range(2):
        dispatch = dispatch_to(text={"subject": f"No. {number}", "body": "Noodles"})
        plan_dispatch(dispatch_id=dispatch.pk)
        worker.drain(priority=Priority.BULK, seconds=5)
    assert [one.subject for one in MemoryBackend.outbox] == ["No. 0", "No. 1"]


def test_links_are_counted_in_a_block_of_ids_that_came_later(worker: Worker) -> None:
    draft = make_template(("email", "zh-hans"))
    content = draft.versions.get().contents.get()
    content.body = (
        '<p><a href="https://shop.example/offers">看看</a></p><a href="{{ unsubscribe_url }}">退订</a>'
    )
    content.save()
    version = publish(template_id=draft.pk)
    dispatch = planned("auto", "auto", template_version=version, topic=draft.topic, text=None)
    rest = put_off(dispatch, move=7 * ID_BLOCK)
    assert worker.drain(priority=Priority.BULK, seconds=5) == 1
    dispatch.refresh_from_db()
    Dispatch.objects.filter(pk=dispatch.pk).update(blocks=[*dispatch.blocks, rest.lo])
    assert go_on_with(worker, rest) == 1
    assert ["/c/" in one.text for one in MemoryBackend.outbox] == [True, True]
