"""The pages of a dispatch and of a message tell the chain; what cannot be a chain is refused with words."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override

from notifyhub.core.errors import Refused
from notifyhub.messaging.models import Batch, Delivery, Dispatch
from notifyhub.messaging.services.chains import steps_of, tell_steps
from notifyhub.messaging.services.dispatches import check_chain, progress
from notifyhub.messaging.tests.kit.chains import (
    THREE_STEPS,
    chained,
    memory_accounts,
    pass_time,
    report,
    rows_of,
)
from notifyhub.messaging.tests.kit.sending import assert_counts_are_the_ledger, drain
from notifyhub.staff import roles
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """Whoever was served last may have left another language behind."""
    with override("en"):
        yield


@pytest.fixture(autouse=True)
def _accounts() -> None:
    memory_accounts()


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        ([], "Choose at least one channel"),
        ([{"channel": "pigeon"}], "unknown or named twice"),
        ([{"channel": "sms"}, {"channel": "sms"}], "unknown or named twice"),
        (["sms"], "unknown or named twice"),
        ([{"channel": "sms", "delay": 3}], "but not delay"),
        ([{"channel": "sms", "wait": "2h"}, {"channel": "email"}], "SMS may wait for up to 30 days"),
        ([{"channel": "sms", "wait": True}, {"channel": "email"}], "SMS may wait for up to 30 days"),
        ([{"channel": "sms", "wait": -1}, {"channel": "email"}], "SMS may wait for up to 30 days"),
        ([{"channel": "sms", "wait": 10**9}, {"channel": "email"}], "SMS may wait for up to 30 days"),
        ([{"channel": "email"}, {"channel": "sms", "wait": 60}], "SMS is the last step"),
        ([{"channel": "sms", "until": "seen"}, {"channel": "email"}], "until it is delivered or until"),
    ],
)
def test_what_cannot_be_a_chain_is_refused_with_what_to_do(chain: list[Any], words: str) -> None:
    with pytest.raises(Refused, match=words) as refused:
        check_chain(chain)
    assert refused.value.field == "chain"


def test_a_dispatch_must_live_until_its_last_step() -> None:
    with pytest.raises(Refused, match="before the last step") as refused:
        chained("auto", expires_at=timezone.now() + timedelta(minutes=59))
    assert refused.value.field == "expires_at"


def page(client: Client, row: Delivery) -> str:
    answer = client.get(reverse("admin:messaging_delivery_page", args=[row.reference]))
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_of_a_message_tells_the_steps_of_the_person(client: Client) -> None:
    client.force_login(make_user(roles.OPERATIONS))
    dispatch = chained("auto", "reject@mail.example", chain=THREE_STEPS)
    drain()
    waiting, failed = rows_of(dispatch, 0)
    words = page(client, waiting)
    assert "Steps of the chain" in words
    assert "If it is not read by " in words
    words = page(client, failed)
    assert "It failed for certain, so the next step followed at once." in words
    assert "If it is not delivered by " in words
    assert reverse("admin:messaging_delivery_page", args=[rows_of(dispatch, 1)[0].reference]) in words
    pass_time(dispatch)
    drain()
    assert "Not read within 1 h, so the next step followed." in page(client, waiting)
    report(rows_of(dispatch, 1)[0], "delivered")
    assert "It arrived, so nothing follows." in page(client, rows_of(dispatch, 1)[0])
    assert "There is no further step." in page(client, rows_of(dispatch, 2)[0])


def test_a_message_of_one_step_has_no_chain_to_tell(client: Client) -> None:
    client.force_login(make_user(roles.OPERATIONS))
    dispatch = chained("auto", chain=[{"channel": "email"}])
    drain()
    assert tell_steps(dispatch=dispatch, delivery=rows_of(dispatch, 0)[0]) == []
    assert "Steps of the chain" not in page(client, rows_of(dispatch, 0)[0])


def told(dispatch: Dispatch, step: int = 0) -> str:
    dispatch.refresh_from_db()
    # The newest customer is the one it was made for.
    return tell_steps(dispatch=dispatch, delivery=rows_of(dispatch, step)[-1])[-1].then


def test_what_comes_next_is_told_for_each_way_it_can_end() -> None:
    unknown = chained("silent@mail.example", chain=THREE_STEPS)
    drain()
    assert told(unknown) == "It may have arrived, so nothing follows."
    ended = chained("auto", chain=[{"channel": "email"}, {"channel": "sms"}])
    drain()
    assert told(ended) == "Nothing follows: the dispatch has ended."
    failed = chained("auto", chain=THREE_STEPS)
    drain()
    report(rows_of(failed, 0)[-1], "failed")
    assert told(failed) == "Whether another channel reaches them is being looked at."
    read = chained("auto", chain=THREE_STEPS)
    drain()
    report(rows_of(read, 0)[-1], "read")
    assert told(read) == "It arrived, so nothing follows."


def test_the_page_of_a_dispatch_shows_each_step_and_closes_for_people(client: Client) -> None:
    client.force_login(make_user(roles.OPERATIONS))
    dispatch = chained("auto", "auto", "reject@mail.example", None, chain=THREE_STEPS)
    drain()
    address = reverse("admin:messaging_dispatch_change", args=[dispatch.pk])
    words = client.get(address).content.decode()
    assert "If it is not read within 1 h, SMS follows." in words
    assert "The next look is at " in words
    assert "= 4 reached + 0 not reached or unknown + 0 not yet" in words
    found = [(one.number, one.messages, one.sent, one.failed) for one in steps_of(dispatch)]
    assert found == [(1, 3, 2, 1), (2, 2, 2, 0), (3, 0, 0, 0)]
    with CaptureQueriesContext(connection) as before:
        client.get(address)
    pass_time(dispatch)
    drain()
    client.get(address)
    with CaptureQueriesContext(connection) as after:
        client.get(address)
    assert len(after) == len(before)


def test_people_are_counted_apart_while_it_runs_and_kept_when_it_ended() -> None:
    dispatch = chained("auto", "silent@mail.example", "reject@mail.example")
    drain()
    numbers = progress(dispatch_id=dispatch.pk)
    assert (numbers.planned, numbers.people, numbers.reached, numbers.not_reached) == (4, 3, 2, 1)
    assert numbers.checks_open == 1
    assert numbers.next_check_at is not None
    pass_time(dispatch)
    drain()
    numbers = progress(dispatch_id=dispatch.pk)
    assert (numbers.planned, numbers.sent, numbers.reached, numbers.checks_open) == (5, 3, 2, 0)
    assert_counts_are_the_ledger(dispatch)
    dispatch.refresh_from_db()
    assert (dispatch.state, dispatch.people, dispatch.reached) == ("finished", 3, 2)
    # Retention takes the batches; what they said stays.
    Batch.objects.filter(dispatch=dispatch).delete()
    kept = progress(dispatch_id=dispatch.pk)
    assert (kept.people, kept.reached, kept.not_reached) == (3, 2, 1)
