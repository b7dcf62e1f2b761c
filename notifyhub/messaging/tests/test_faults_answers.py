"""The four answers of a provider, over every mark a row may bear: what becomes of the row, and when."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyhub.messaging.channels.base import LEASE_LOST, Result
from notifyhub.messaging.engine.judge import ACCOUNT_FAILED, ASSURED, IN_DOUBT, honest, judge_result
from notifyhub.messaging.engine.retry import (
    FAILOVER_SECONDS,
    FIRST_SECONDS,
    JITTER,
    LONGEST_SECONDS,
    MAX_TRIES,
    delay_before,
)
from notifyhub.messaging.engine.write import Verdict
from notifyhub.messaging.models import Delivery

State = Delivery.State

ACCEPTED = Result(kind="accepted", provider_ref="r1")
ARRIVED = Result(kind="accepted", delivered=True)
PERMANENT = Result(kind="permanent", code="550")
BUSY = Result(kind="transient", code="450")
DOWN = Result(kind="transient", code="connect", account_trouble=True)
SILENT = Result(kind="ambiguous", code="timeout")


def judged(
    result: Result, *, mark: str = "", tries: int = 0, cls: str = "promotional", **more: Any
) -> Verdict:
    row = {"id": 7, "tries": tries, "mark": mark}
    return judge_result(row, result, account_id=3, message_class=cls, chance=0.5, **more)


@pytest.mark.parametrize(
    ("result", "cls", "mark", "state", "reason"),
    [
        (ACCEPTED, "promotional", "", State.SENT, ""),
        (ACCEPTED, "transactional", "ambiguous", State.SENT, ""),
        (ARRIVED, "promotional", "account", State.DELIVERED, ""),
        (PERMANENT, "promotional", "", State.FAILED, "rejected"),
        (BUSY, "promotional", "", State.PLANNED, ""),
        (BUSY, "promotional", "account", State.PLANNED, ""),
        (DOWN, "promotional", "", State.PLANNED, "account"),
        (BUSY, "transactional", "worker_died", State.PLANNED, "worker_died"),
        (DOWN, "transactional", "ambiguous", State.PLANNED, "ambiguous"),
        (SILENT, "promotional", "", State.UNKNOWN, "ambiguous"),
        (SILENT, "informational", "account", State.UNKNOWN, "ambiguous"),
        (SILENT, "transactional", "", State.PLANNED, "ambiguous"),
        (SILENT, "service", "account", State.PLANNED, "ambiguous"),
        (SILENT, "transactional", "ambiguous", State.UNKNOWN, "ambiguous"),
        (SILENT, "service", "worker_died", State.UNKNOWN, "ambiguous"),
        (LEASE_LOST, "promotional", "account", State.PLANNED, "account"),
    ],
)
def test_each_answer_over_each_mark(result: Result, cls: str, mark: str, state: int, reason: str) -> None:
    verdict = judged(result, cls=cls, mark=mark)
    assert (verdict.state, verdict.reason) == (state, reason)
    assert verdict.tries == (0 if result is LEASE_LOST else 1)
    assert verdict.account_id == 3


@pytest.mark.parametrize("result", [BUSY, DOWN])
def test_the_last_try_is_the_dead_end(result: Result) -> None:
    for tries in range(MAX_TRIES - 1):
        assert judged(result, tries=tries).state == State.PLANNED
    dead = judged(result, tries=MAX_TRIES - 1, successor=True)
    assert (dead.state, dead.reason, dead.tries) == (State.FAILED, "too_many_tries", MAX_TRIES)
    # Of what may have arrived nobody may say that it failed.
    doubt = judged(result, tries=MAX_TRIES - 1, mark="worker_died", cls="transactional")
    assert (doubt.state, doubt.reason) == (State.UNKNOWN, "worker_died")


def test_another_account_takes_over_at_once_but_never_what_is_in_doubt() -> None:
    assert judged(DOWN, successor=True).delay == FAILOVER_SECONDS
    asked = Result(kind="transient", code="429", retry_after=600, account_trouble=True)
    assert judged(asked, successor=True).delay == FAILOVER_SECONDS
    assert judged(asked).delay == 600
    assert (judged(BUSY, successor=True).delay or 0) > 5
    for mark in IN_DOUBT:
        assert (judged(DOWN, mark=mark, successor=True).delay or 0) > 5


@given(
    tries=st.integers(1, 10), wish=st.none() | st.floats(0, 10_000), chance=st.floats(0, 1, exclude_max=True)
)
def test_waits_grow_jitter_and_honour_the_vendors_wish(tries: int, wish: float | None, chance: float) -> None:
    delay = delay_before(tries=tries, retry_after=wish, chance=chance)
    if tries >= MAX_TRIES:
        assert delay is None
        return
    assert delay is not None
    assert delay >= min(wish or 0, LONGEST_SECONDS)
    assert FIRST_SECONDS * (1 - JITTER) <= delay <= LONGEST_SECONDS
    later = delay_before(tries=tries + 1, retry_after=wish, chance=chance)
    assert later is None or later >= delay


@given(
    kind=st.sampled_from([ACCEPTED, ARRIVED, PERMANENT, BUSY, DOWN, SILENT, LEASE_LOST]),
    mark=st.sampled_from(["", ACCOUNT_FAILED, *sorted(IN_DOUBT)]),
    tries=st.integers(0, MAX_TRIES),
    cls=st.sampled_from(["transactional", "service", "promotional", "informational"]),
    successor=st.booleans(),
)
def test_doubt_is_never_forgotten_and_never_repeated(
    kind: Result, mark: str, tries: int, cls: str, successor: bool
) -> None:
    verdict = judged(kind, mark=mark, tries=tries, cls=cls, successor=successor)
    if verdict.state == State.PLANNED:
        assert verdict.delay is not None
        # A mark of doubt stays; and only the classes that may be sent twice ever wait with one.
        assert verdict.reason == mark or mark not in IN_DOUBT
        assert verdict.reason not in IN_DOUBT or mark in IN_DOUBT or cls in ASSURED
    if mark in IN_DOUBT and kind in (BUSY, DOWN, SILENT):
        assert verdict.state in (State.PLANNED, State.UNKNOWN)
    if kind is SILENT and mark in IN_DOUBT:
        assert verdict.state == State.UNKNOWN


def test_what_may_have_arrived_is_not_called_skipped() -> None:
    skip = Verdict(row=1, state=State.SKIPPED, kind="skipped", reason="hold")
    assert honest({"mark": ""}, skip).state == State.SKIPPED
    assert (honest({"mark": "ambiguous"}, skip).state, skip.reason) == (State.UNKNOWN, "ambiguous")
    later = Verdict(row=1, state=State.PLANNED, kind="delayed", delay=60.0)
    assert honest({"mark": "ambiguous"}, later).state == State.PLANNED
