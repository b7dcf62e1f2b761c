"""Late or met is decided by when something happened, never by when somebody looked."""

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedback.models import Case, SlaClock, SlaPolicy
from feedback.services import clocks, handling, sweeps
from feedback.services.categories import update_policy
from feedback.tests.factories import make_agent, make_case
from notifyhub.core.errors import Conflict, Refused
from notifyhub.staff.models import StaffNotice

pytestmark = pytest.mark.django_db


def resolve_clock(case: Case) -> SlaClock:
    return SlaClock.objects.get(case=case, metric="resolve")


def test_the_sweep_marks_each_late_clock_once_at_its_due_time() -> None:
    agent, lead = make_agent(), make_agent("service_lead")
    case = make_case(agent)
    due = timezone.now() - timedelta(minutes=5)
    SlaClock.objects.filter(case=case, metric="resolve").update(due_at=due)
    assert len(clocks.sweep_breaches(now=timezone.now())) == 1
    assert clocks.sweep_breaches(now=timezone.now()) == []
    clock = resolve_clock(case)
    assert (clock.state, clock.breached_at, clock.stopped_at) == ("breached", due, None)
    case.refresh_from_db()
    assert case.next_due_at == due
    SlaClock.objects.filter(pk=clock.pk).update(state="running", breached_at=None, running_since=due)
    sweeps.sweep_clocks()
    assert StaffNotice.objects.filter(dedup=f"clock-late:{clock.pk}").count() == 2
    assert StaffNotice.objects.filter(recipient=lead).exists()


def test_a_late_clock_stays_late_when_it_is_stopped_between_two_sweeps() -> None:
    case = make_case(make_agent())
    due = timezone.now() - timedelta(minutes=5)
    SlaClock.objects.filter(case=case, metric="resolve").update(due_at=due)
    clocks.stop_clocks(case.pk, "resolve", at=timezone.now())
    clock = resolve_clock(case)
    assert (clock.state, clock.breached_at) == ("breached", due)


def test_a_warning_is_told_once_and_in_time() -> None:
    agent = make_agent()
    case = make_case(agent)
    soon = timezone.now() + timedelta(minutes=10)
    SlaClock.objects.filter(case=case, metric="resolve").update(due_at=soon, warn_at=timezone.now())
    assert len(clocks.take_warnings(now=timezone.now())) == 1
    assert clocks.take_warnings(now=timezone.now()) == []


def test_a_pause_past_the_old_due_time_is_no_breach() -> None:
    agent = make_agent()
    case = make_case(agent)
    handling.wait_case(
        case_id=case.pk,
        actor=agent,
        party="customer",
        reason="Photo",
        until=timezone.now() + timedelta(days=6),
        version=None,
    )
    assert clocks.sweep_breaches(now=timezone.now() + timedelta(days=30)) == []
    assert resolve_clock(case).state == "paused"


def test_a_pause_after_the_due_time_does_not_save_the_clock() -> None:
    case = make_case(make_agent())
    SlaClock.objects.filter(case=case, metric="resolve").update(due_at=timezone.now() - timedelta(seconds=5))
    clocks.pause_clocks(case.pk, now=timezone.now())
    assert resolve_clock(case).state == "breached"


@given(spans=st.lists(st.integers(1, 3600), min_size=1, max_size=6))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_only_the_time_that_ran_counts(spans: list[int]) -> None:
    case = make_case(make_agent())
    clock = resolve_clock(case)
    now, ran = clock.started_at, 0
    for index, span in enumerate(spans):
        now += timedelta(seconds=span)
        if index % 2 == 0:
            ran += span
            clocks.pause_clocks(case.pk, now=now)
        else:
            clocks.resume_clocks(case.pk, now=now)
    clocks.resume_clocks(case.pk, now=now)
    clock.refresh_from_db()
    assert clock.due_at is not None
    assert abs((clock.due_at - now).total_seconds() - (clock.target_seconds - ran)) < len(spans) + 1


def test_a_changed_policy_moves_no_deadline_of_the_past() -> None:
    case = make_case(make_agent())
    before = resolve_clock(case).due_at
    policy = SlaPolicy.objects.get(severity="S3")
    update_policy(policy_id=policy.pk, changes={"resolve_minutes": 1}, version=policy.version)
    assert resolve_clock(case).due_at == before
    assert resolve_clock(make_case(make_agent())).target_seconds == 60
    with pytest.raises(Conflict):
        update_policy(policy_id=policy.pk, changes={"resolve_minutes": 2}, version=policy.version)
    with pytest.raises(Refused):
        update_policy(policy_id=policy.pk, changes={"resolve_minutes": 0}, version=None)


def test_a_changed_severity_keeps_the_clocks_that_run() -> None:
    agent = make_agent()
    case = make_case(agent)
    before = resolve_clock(case).due_at
    handling.update_facts(case_id=case.pk, actor=agent, version=case.version, severity="S1")
    case.refresh_from_db()
    assert (case.severity, case.priority, resolve_clock(case).due_at) == ("S1", "P1", before)
    assert case.holds_promotions
