"""The fallback chain under receipts and waits in any order, held against a small oracle."""

from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from notifyhub.customers.tests.factories import make_topic, opt_in
from notifyhub.messaging.engine.chain import look_at_due
from notifyhub.messaging.engine.chain_rules import OF_THE_CHANNEL
from notifyhub.messaging.engine.finish import finish_dispatches
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.models import AccountGate, Batch, Delivery, Dispatch
from notifyhub.messaging.services.dispatches import pause_dispatch, progress, resume_dispatch
from notifyhub.messaging.tests.kit.chains import memory_accounts, pass_time, report
from notifyhub.messaging.tests.kit.sending import (
    assert_counts_are_the_ledger,
    dispatch_to,
    make_recipients,
    work,
)

pytestmark = pytest.mark.django_db

State = Delivery.State
CERTAIN = (State.FAILED, State.BOUNCED)
mailboxes = st.sampled_from(["auto", "reject", "silent", "fail", "once-fail", None])
waits = st.sampled_from([None, 0, 3600])
untils = st.sampled_from(["read", "delivered"])
acts = st.one_of(
    st.just(("work",)),
    st.just(("look",)),
    st.just(("finish",)),
    st.just(("retry",)),
    st.sampled_from([("pause",), ("resume",)]),
    st.tuples(st.just("time"), st.sampled_from([600, 3601])),
    st.tuples(
        st.just("report"),
        st.integers(0, 2),
        st.integers(0, 2),
        st.sampled_from(["delivered", "read", "bounced", "failed"]),
    ),
)

Rows = dict[tuple[int, int], Delivery]


def rows_of(dispatch: Dispatch) -> Rows:
    return {(row.dedup_key, row.step): row for row in Delivery.objects.filter(dispatch_id=dispatch.pk)}


def act_on(dispatch: Dispatch, act: Any) -> None:
    name, *rest = act
    if name == "work":
        work(seconds=0.2)
    elif name == "look":
        look_at_due()
    elif name == "finish":
        finish_dispatches()
    elif name == "retry":
        # What waits for its time, and what rests since it left too many in doubt.
        Batch.objects.filter(dispatch=dispatch, state=0).update(not_before=timezone.now())
        AccountGate.objects.all().delete()
    elif name == "time":
        pass_time(dispatch, *rest)
    elif name == "report":
        person, step, kind = rest
        row = rows_of(dispatch).get((person, step))
        # A provider reports on what it was handed.
        if row is not None and row.state in (State.SENT, State.DELIVERED, State.UNKNOWN, *CERTAIN):
            report(row, kind)
    else:
        state = Dispatch.objects.get(pk=dispatch.pk).state
        if name == "pause" and state == Dispatch.State.RUNNING:
            pause_dispatch(dispatch_id=dispatch.pk, reason="Look")
        elif name == "resume" and state == Dispatch.State.PAUSED:
            resume_dispatch(dispatch_id=dispatch.pk)


def is_met(row: Delivery, chain: list[dict[str, Any]]) -> bool:
    until = chain[row.step].get("until", "delivered")
    return row.read_at is not None or (row.state == State.DELIVERED and until == "delivered")


def assert_next_was_due(new: Delivery, before: Rows, dispatch: Dispatch) -> None:
    """Fail unless the steps that `new` follows had, when it was planned, nothing left to hope for."""
    chain = dispatch.chain
    earlier = [row for (person, _step), row in before.items() if person == new.dedup_key]
    last = max(earlier, key=lambda row: row.step)
    assert last.step < new.step
    assert not any(is_met(row, chain) for row in earlier)
    assert all(row.state != State.PLANNED for row in earlier)
    if last.state in CERTAIN:
        return
    if last.state == State.SKIPPED:
        assert last.reason in OF_THE_CHANNEL
        return
    assured = dispatch.message_class == "transactional"
    assert last.state in (State.SENT, State.DELIVERED) or (last.state == State.UNKNOWN and assured)
    wait = chain[last.step].get("wait")
    assert wait is not None
    assert last.settled_at is not None
    assert (new.send_at - last.settled_at).total_seconds() >= wait


def assert_all_is_well(dispatch: Dispatch, before: Rows, after: Rows) -> None:
    dispatch.refresh_from_db()
    for key in after.keys() - before.keys():
        assert_next_was_due(after[key], before, dispatch)
    for (person, step), row in after.items():
        was = before.get((person, step))
        if was is not None and was.state == State.PLANNED and row.state in (State.SENT, State.DELIVERED):
            earlier = [before[person, one] for one in range(step) if (person, one) in before]
            assert not any(is_met(one, dispatch.chain) for one in earlier)
    if dispatch.state == Dispatch.State.FINISHED:
        assert all(row.state != State.PLANNED for row in after.values())
        assert not Batch.objects.filter(dispatch=dispatch, check_at__isnull=False).exists()
    numbers = progress(dispatch_id=dispatch.pk)
    handed = {row.dedup_key for row in after.values() if row.state in (State.SENT, State.DELIVERED)}
    open_people = {row.dedup_key for row in after.values() if row.state == State.PLANNED} - handed
    assert (numbers.people, numbers.reached, numbers.people_open) == (3, len(handed), len(open_people))
    assert numbers.not_reached == 3 - len(handed) - len(open_people)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # Each example sends; making a failing one small would take longer than the whole suite.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(
    boxes=st.lists(mailboxes, min_size=3, max_size=3),
    message_class=st.sampled_from(["promotional", "transactional"]),
    first=st.tuples(waits, untils),
    second=st.tuples(waits, untils),
    sequence=st.lists(acts, min_size=4, max_size=14),
)
def test_nobody_gets_a_step_while_the_one_before_may_still_do(
    boxes: list[str | None], message_class: str, first: Any, second: Any, sequence: list[Any]
) -> None:
    if not Dispatch.objects.exists():
        memory_accounts()
    serial = Dispatch.objects.count()
    names = [
        box if box in ("auto", None) else f"{box}{serial}-{n}@mail.example" for n, box in enumerate(boxes)
    ]
    people = make_recipients(*names)
    for one in people:
        opt_in(one, make_topic(), "inbox")
    chain: list[dict[str, Any]] = []
    for channel, (wait, until) in (("email", first), ("sms", second)):
        chain.append({"channel": channel, "until": until, **({} if wait is None else {"wait": wait})})
    dispatch = dispatch_to(people, message_class=message_class, chain=[*chain, {"channel": "inbox"}])
    plan_dispatch(dispatch_id=dispatch.pk)
    before = rows_of(dispatch)
    for act in sequence:
        act_on(dispatch, act)
        after = rows_of(dispatch)
        assert_all_is_well(dispatch, before, after)
        before = after
    assert_counts_are_the_ledger(dispatch)
    # Left alone, all comes to its end.
    act_on(dispatch, ("resume",))
    for _round in range(16):
        for act in (("work",), ("look",), ("finish",), ("retry",), ("time", 3601)):
            act_on(dispatch, act)
            after = rows_of(dispatch)
            assert_all_is_well(dispatch, before, after)
            before = after
        if dispatch.state == Dispatch.State.FINISHED:
            break
    assert dispatch.state == Dispatch.State.FINISHED
    assert_counts_are_the_ledger(dispatch)
