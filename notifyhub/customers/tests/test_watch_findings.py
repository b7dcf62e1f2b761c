"""What rules find depends on what happened, not on how we came to know."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any, NamedTuple

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifyhub.customers.models import Alert, Event, WatchFinding, WatchRule
from notifyhub.customers.services.events import EventIn, record_events
from notifyhub.customers.services.watch.following import judge_due, load_rules, watch_at_once, watch_events
from notifyhub.customers.services.watch.rules import activate_rule, create_rule
from notifyhub.staff.models import StaffNotice
from notifyhub.staff.tests.factories import make_user

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def make_rule(**facts: Any) -> WatchRule:
    """Return a rule that is switched on and has read nothing yet."""
    plain = {"name": "Rule", "minutes": 10, "scope": "order", "tell_role": "service_lead", "count": 2}
    rule = create_rule(data={**plain, **facts}, owner=None)
    return activate_rule(rule_id=rule.pk)


def tell(
    name: str, minute: float, order: str = "O1", who: str = "E1", key: str = "", **facts: Any
) -> EventIn:
    """Return an event of `minute` after the start."""
    return EventIn(
        message_id=key or f"{name}:{order}:{who}:{minute}",
        name=name,
        occurred_at=START + timedelta(minutes=minute),
        external_id=who,
        order_number=order,
        properties=facts,
    )


def look(minutes: float = 0, wait: bool = True) -> int:
    """Let the rules read everything told, at `minutes` after the start."""
    if wait:
        time.sleep(2.1)
    return watch_events(now=START + timedelta(minutes=minutes))


def found() -> set[str]:
    """Return the message ids that findings stand for."""
    return set(WatchFinding.objects.filter(standing=True).values_list("message_id", flat=True))


@pytest.mark.django_db(transaction=True)
class TestFollowing:
    def test_a_thing_twice_is_found_once_whoever_looks_and_however_often(self) -> None:
        make_rule(kind="twice", first=["paid"])
        watch_events(now=START)
        record_events([tell("paid", 1), tell("paid", 2), tell("paid", 3, "O2")])
        threads = [Thread(target=self.run) for _ in range(2)]
        time.sleep(2.1)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        record_events([tell("paid", 1), tell("paid", 2)])
        look()
        assert found() == {"paid:O1:E1:2"}
        assert Alert.objects.get().found == 1

    def run(self) -> None:
        try:
            watch_events(now=START)
        finally:
            connection.close()

    def test_the_hint_finds_at_once_what_the_bookmark_finds_again(self) -> None:
        make_user("service_lead")
        make_rule(kind="twice", first=["paid"])
        watch_events(now=START)
        record_events([tell("paid", 1), tell("paid", 2)])
        ids = list(Event.objects.values_list("pk", flat=True))
        assert watch_at_once(events={"paid": ids}) == 1
        assert look() == 0
        assert (Alert.objects.count(), StaffNotice.objects.count()) == (1, 1)

    def test_what_came_before_a_rule_is_company_and_no_finding(self) -> None:
        record_events([tell("asked", 0), tell("paid", 1), tell("asked", 0, "O2"), tell("paid", 1, "O2")])
        time.sleep(2.1)
        make_rule(kind="after", first=["asked"], second=["paid"], minutes=40_000)
        assert look() == 0
        now = datetime.now(UTC)
        record_events(
            [EventIn(message_id="late", name="paid", occurred_at=now, external_id="E1", order_number="O1")]
        )
        look()
        assert found() == {"late"}


class Told(NamedTuple):
    """One event of the slow and obvious oracle."""

    name: str
    minute: int
    order: str
    spot: str
    mid: str


WINDOW = 4


def twice(x: Told, told: list[Told]) -> bool:
    same = [y for y in told if y.name == "alpha" and (y.order, y.spot) == (x.order, x.spot)]
    before = [y for y in same if (y.minute, y.mid) < (x.minute, x.mid)]
    return x.name == "alpha" and any(x.minute - y.minute <= WINDOW for y in before)


def after(x: Told, told: list[Told]) -> bool:
    same = [y for y in told if y.order == x.order]
    ends = [y.minute for y in same if y.name == "gamma"]
    return x.name == "beta" and any(
        0 <= x.minute - y.minute <= WINDOW and not any(y.minute <= end <= x.minute for end in ends)
        for y in same
        if y.name == "alpha"
    )


def burst(x: Told, told: list[Told]) -> bool:
    same = [y for y in told if y.name == "alpha" and y.spot == x.spot]
    return x.name == "alpha" and sum(0 <= x.minute - y.minute <= WINDOW for y in same) >= 3


def missing(x: Told, told: list[Told]) -> bool:
    follows = [y for y in told if y.order == x.order and y.name != "alpha"]
    return x.name == "alpha" and not any(0 <= y.minute - x.minute <= WINDOW for y in follows)


RULES: dict[str, tuple[Callable[[Told, list[Told]], bool], dict[str, Any]]] = {
    "twice": (twice, {"properties": ["spot"]}),
    "after": (after, {"second": ["beta"], "unless": ["gamma"]}),
    "burst": (burst, {"properties": ["spot"], "count": 3}),
    "missing": (missing, {"second": ["beta"], "unless": ["gamma"]}),
}
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(("alpha", "alpha", "beta", "gamma")),
        st.integers(0, 14),
        st.sampled_from(("O1", "O2")),
        st.sampled_from(("here", "there")),
    ),
    max_size=14,
)


def take_in(portion: list[Told]) -> None:
    """Let the rules see a portion of events, those again that they know already."""
    record_events([tell(x.name, x.minute, x.order, key=x.mid, spot=x.spot) for x in portion])
    rows = Event.objects.filter(message_id__in=[x.mid for x in portion]).values_list("name", "pk")
    events: dict[str, list[int]] = {}
    for name, pk in rows:
        events.setdefault(name, []).append(pk)
    watch_at_once(events=events, now=START)


@pytest.mark.django_db
@pytest.mark.parametrize("kind", RULES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=EVENTS, data=st.data())
def test_any_order_and_any_doubling_of_events_gives_the_same_findings(
    kind: str, facts: list[tuple[str, int, str, str]], data: st.DataObject
) -> None:
    applies, more = RULES[kind]
    told = [Told(*fact, mid=f"m{n:02d}") for n, fact in enumerate(facts)]
    doubled = data.draw(st.lists(st.sampled_from(told), max_size=5)) if told else []
    order = data.draw(st.permutations([*told, *doubled]))
    with transaction.atomic():
        make_rule(kind=kind, first=["alpha"], minutes=WINDOW, **more)
        load_rules(now=START)
        while order:
            size = data.draw(st.integers(1, len(order)))
            take_in(order[:size])
            order = order[size:]
            # Time may be over for some before the others are told of.
            if data.draw(st.booleans()):
                judge_due(now=START + timedelta(days=1))
        judge_due(now=START + timedelta(days=1))
        assert found() == {x.mid for x in told if applies(x, told)}
        assert not WatchFinding.objects.filter(standing=True, alert=None).exists()
        for alert in Alert.objects.all():
            stands = alert.findings.filter(standing=True).exists()
            assert (alert.state == Alert.State.OPEN) == stands
        transaction.set_rollback(True)
