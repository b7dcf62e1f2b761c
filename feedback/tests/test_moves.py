"""A case moves along the table only, with one event a move, and never under two hands."""

from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedback.models import Case, CaseEvent, CaseState, Interaction, SlaClock
from feedback.models.flow import EDGES, FLOW
from feedback.services import handling, notes, sweeps
from feedback.tests.factories import RESOLUTION, make_agent, make_case
from notifyhub.core.errors import Conflict, Refused
from notifyhub.customers.models import Event, Hold
from notifyhub.staff.models import User

DETAIL = "She was ill all night after the meal and went to a doctor."


def act(name: str, case: Case, user: User) -> None:
    """Do one thing somebody could do."""
    soon = timezone.now() + timedelta(hours=3)
    verbs: dict[str, Any] = {
        "claim": lambda: handling.claim_case(case_id=case.pk, actor=user),
        "assign": lambda: handling.assign_case(case_id=case.pk, actor=user, owner=user, version=None),
        "drop": lambda: handling.assign_case(case_id=case.pk, actor=user, owner=None, version=None),
        "call": lambda: notes.log_call(case_id=case.pk, actor=user, body="Spoke with her"),
        "note": lambda: notes.add_note(case_id=case.pk, actor=user, body="Asked the rider"),
        "resume": lambda: handling.resume_case(case_id=case.pk, actor=user),
        "resolve": lambda: handling.resolve_case(case_id=case.pk, actor=user, version=None, **RESOLUTION),
        "reopen": lambda: handling.reopen_case(case_id=case.pk, actor=user, reason="Not solved"),
        "void": lambda: handling.void_case(case_id=case.pk, actor=user, reason="Test", version=None),
        "close": lambda: handling.close_case(case_id=case.pk),
        "sweep": sweeps.run_case_sweep,
    }
    for party in ("customer", "dept", "third"):
        verbs[f"wait_{party}"] = lambda party=party: handling.wait_case(
            case_id=case.pk, actor=user, party=party, reason="Asked", until=soon, version=None
        )
    verbs[name]()


ACTS = [
    "claim",
    "assign",
    "drop",
    "call",
    "note",
    "resume",
    "resolve",
    "reopen",
    "void",
    "close",
    "sweep",
    "wait_customer",
    "wait_dept",
    "wait_third",
]


@pytest.mark.django_db
@given(
    steps=st.lists(st.tuples(st.sampled_from(ACTS), st.booleans()), max_size=14),
    logged=st.booleans(),
    late=st.booleans(),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_sequence_of_acts_leaves_the_table(steps: list[Any], logged: bool, late: bool) -> None:
    with transaction.atomic():
        agent, lead = make_agent(), make_agent("service_lead")
        case = make_case(agent if logged else None)
        state: str = case.state
        for name, by_lead in steps:
            if late:
                past = timezone.now() - timedelta(minutes=1)
                SlaClock.objects.filter(case=case, state="running", started_at__lt=past).update(due_at=past)
            before = CaseEvent.objects.filter(case=case).exclude(to_state="").count()
            try:
                with transaction.atomic():
                    act(name, case, lead if by_lead else agent)
            except Refused:
                pass
            case.refresh_from_db()
            moved = CaseEvent.objects.filter(case=case).exclude(to_state="").count() - before
            assert moved == (1 if case.state != state else 0)
            assert case.state == state or FLOW.allows(CaseState(state), CaseState(case.state))
            state = case.state
            for clock in SlaClock.objects.filter(case=case):
                assert not (clock.state == "running" and clock.stopped_at)
                if clock.stopped_at:
                    assert (clock.state == "met") == (clock.stopped_at <= clock.due_at)
        transaction.set_rollback(True)


def test_every_trigger_starts_and_ends_in_a_state_of_the_table() -> None:
    ends = {CaseState.CLOSED, CaseState.MERGED}
    for edge in EDGES:
        assert not ends & set(edge.sources)
    assert {state for state in CaseState if not FLOW.moves[state]} == ends


@pytest.mark.django_db
def test_the_history_refuses_to_be_rewritten() -> None:
    case = make_case(make_agent())
    with pytest.raises(Exception, match="append-only"), transaction.atomic():
        CaseEvent.objects.filter(case=case).update(kind="nothing")


@pytest.mark.django_db(transaction=True)
def test_of_two_agents_who_claim_at_once_one_gets_the_case_and_the_other_its_name() -> None:
    agents = [make_agent(display_name="Zhou"), make_agent(display_name="Li")]
    case = make_case(None)
    start, answers = Barrier(2), {}

    def claim(agent: User) -> None:
        start.wait()
        try:
            handling.claim_case(case_id=case.pk, actor=agent)
            answers[agent.pk] = "mine"
        except Refused as refusal:
            answers[agent.pk] = str(refusal)
        finally:
            connection.close()

    threads = [Thread(target=claim, args=(agent,)) for agent in agents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    case.refresh_from_db()
    winner = next(agent for agent in agents if answers[agent.pk] == "mine")
    loser = next(agent for agent in agents if agent != winner)
    assert case.owner == winner
    assert str(winner) in answers[loser.pk]
    assert CaseEvent.objects.filter(case=case, kind="claim").count() == 1


@pytest.mark.django_db
def test_a_stale_version_gets_both_sides_and_keeps_the_text(client: Client) -> None:
    agent = make_agent()
    case = make_case(agent)
    client.force_login(agent)
    handling.update_facts(case_id=case.pk, actor=agent, version=1, severity="S2")
    post = {"mode": "reply", "channel": "sms", "body": "We are looking into it", "version": "1"}
    answer = client.post(reverse("admin:feedback_case_act", args=[case.pk, "send"]), post)
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "We are looking into it" in page
    assert 'name="version" value="2"' in page
    assert not Interaction.objects.filter(case=case, kind="reply").exists()
    assert case.drafts.get(user=agent).body == "We are looking into it"
    facts = {"severity": "S1", "summary": case.summary, "version": "1"}
    answer = client.post(reverse("admin:feedback_case_facts", args=[case.pk]), facts)
    assert answer.status_code == 409
    assert [fact["name"] for fact in answer.context["facts"]] == ["severity"]


@pytest.mark.django_db
def test_a_post_without_a_version_is_stale() -> None:
    agent = make_agent()
    case = make_case(agent)
    with pytest.raises(Conflict):
        handling.resolve_case(case_id=case.pk, actor=agent, version=0, **RESOLUTION)


@pytest.mark.django_db
def test_nobody_is_parked_in_silence(client: Client) -> None:
    lead = make_agent("service_lead")
    case = make_case(None)
    handling.claim_case(case_id=case.pk, actor=lead)
    case.refresh_from_db()
    client.force_login(lead)
    until = timezone.localtime() + timedelta(days=1)
    post = {
        "party": "customer",
        "reason": "Photo",
        "until": f"{until:%Y-%m-%dT%H:%M}",
        "version": case.version,
    }
    answer = client.post(reverse("admin:feedback_case_act", args=[case.pk, "wait"]), post)
    assert answer.status_code == 422
    assert answer.context["error_field"] == "party"
    assert "Photo" in answer.content.decode()
    notes.log_call(case_id=case.pk, actor=lead, body="Asked her for a photo")
    answer = client.post(reverse("admin:feedback_case_act", args=[case.pk, "wait"]), post)
    assert answer.status_code == 302
    case.refresh_from_db()
    assert (case.state, case.wait_reason) == ("wait_customer", "Photo")


@pytest.mark.django_db
@pytest.mark.parametrize("days", [-1, 8, 31])
def test_waiting_ends_within_a_week_for_customers(days: int) -> None:
    agent = make_agent()
    case = make_case(agent)
    with pytest.raises(Refused) as refused:
        handling.wait_case(
            case_id=case.pk,
            actor=agent,
            party="customer",
            reason="Photo",
            until=timezone.now() + timedelta(days=days),
            version=1,
        )
    assert refused.value.field == "until"


@pytest.mark.django_db
def test_the_tick_takes_up_what_waited_long_enough() -> None:
    agent = make_agent()
    case = make_case(agent)
    act("wait_dept", case, agent)
    assert sweeps.end_waits() == 0
    Case.objects.filter(pk=case.pk).update(wait_until=timezone.now() - timedelta(seconds=1))
    assert sweeps.end_waits() == 1
    case.refresh_from_db()
    assert (case.state, case.wait_until, case.wait_reason) == ("open", None, "")


@pytest.mark.django_db
def test_resolving_asks_for_decision_code_cause_and_a_word_to_the_customer() -> None:
    lead = make_agent("service_lead")
    case = make_case(None)
    handling.claim_case(case_id=case.pk, actor=lead)
    for missing in RESOLUTION:
        with pytest.raises(Refused) as refused:
            handling.resolve_case(case_id=case.pk, actor=lead, version=None, **{**RESOLUTION, missing: ""})
        assert refused.value.field == missing
    with pytest.raises(Refused) as refused:
        handling.resolve_case(case_id=case.pk, actor=lead, version=None, **RESOLUTION)
    assert refused.value.field == "message"


@pytest.mark.django_db
def test_a_reopened_case_runs_a_new_resolve_clock_and_keeps_the_first_outcome() -> None:
    agent = make_agent()
    case = make_case(agent)
    act("resolve", case, agent)
    assert Event.objects.filter(name="case_closed", customer_id=case.customer_id).count() == 1
    act("reopen", case, agent)
    case.refresh_from_db()
    assert (case.cycle, case.reopen_count, case.decision, case.next_metric) == (2, 1, "", "resolve")
    clocks = SlaClock.objects.filter(case=case, metric="resolve").order_by("cycle")
    assert [(clock.cycle, clock.state) for clock in clocks] == [(1, "met"), (2, "running")]
    assert clocks[1].target_seconds < clocks[0].target_seconds


@pytest.mark.django_db
def test_after_two_weeks_a_new_case_is_asked_for() -> None:
    agent = make_agent()
    case = make_case(agent)
    act("resolve", case, agent)
    Case.objects.filter(pk=case.pk).update(resolved_at=timezone.now() - timedelta(days=15))
    with pytest.raises(Refused, match="14"):
        act("reopen", case, agent)


@pytest.mark.django_db
def test_a_quiet_week_closes_and_another_lifts_the_hold() -> None:
    agent = make_agent()
    case = make_case(agent, code="food-safety", detail=DETAIL)
    act("resolve", case, agent)
    assert sweeps.close_resolved() == 0
    Case.objects.filter(pk=case.pk).update(resolved_at=timezone.now() - timedelta(days=8))
    assert sweeps.close_resolved() == 1
    case.refresh_from_db()
    assert case.state == "closed"
    assert Hold.objects.get(customer=case.customer).released_at is None
    Case.objects.filter(pk=case.pk).update(closed_at=timezone.now() - timedelta(days=8))
    assert sweeps.close_resolved() == 1
    assert Hold.objects.get(customer=case.customer).released_at is not None
    assert sweeps.close_resolved() == 0


@pytest.mark.django_db
def test_serious_complaints_are_never_set_aside() -> None:
    agent = make_agent()
    with pytest.raises(Refused):
        act("void", make_case(agent, code="food-safety", detail=DETAIL), agent)
    plain = make_case(agent)
    act("void", plain, agent)
    plain.refresh_from_db()
    assert plain.state == "void"
    assert not SlaClock.objects.filter(case=plain, state="running").exists()
