"""Starting, pausing, stopping and sweeping the clocks of a case."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q

from feedback.models import Case, CaseState, Metric, SlaClock, SlaPolicy

State = SlaClock.State
AWAITED = (State.RUNNING, State.BREACHED)
# The warning comes when a quarter of the time is left, and at most this long before.
WARN_BEFORE = timedelta(minutes=30)
SWEEP_ROWS = 500

_DEFAULT_MINUTES = {
    "S1": (5, 15, 240, 120),
    "S2": (10, 30, 480, 240),
    "S3": (30, 60, 1440, 480),
    "S4": (60, 240, 4320, 1440),
}


def ensure_policies() -> int:
    """Create the time limits that are missing; return how many were."""
    made = 0
    for severity, (ack, first, resolve, again) in _DEFAULT_MINUTES.items():
        made += SlaPolicy.objects.get_or_create(
            severity=severity,
            defaults={
                "ack_minutes": ack,
                "first_reply_minutes": first,
                "resolve_minutes": resolve,
                "reopened_resolve_minutes": again,
            },
        )[1]
    return made


def _policy(severity: str) -> SlaPolicy:
    policy = SlaPolicy.objects.filter(severity=severity).first()
    if policy is None:
        ensure_policies()
        policy = SlaPolicy.objects.get(severity=severity)
    return policy


def start_clocks(case: Case, *, now: datetime) -> None:
    """Start the clocks of a new case by the policy of its severity."""
    policy = _policy(case.severity)
    targets = {
        Metric.ACK: policy.ack_minutes,
        Metric.FIRST_REPLY: policy.first_reply_minutes,
        Metric.RESOLVE: policy.resolve_minutes,
    }
    SlaClock.objects.bulk_create(
        [_clock(case, metric, minutes * 60, now) for metric, minutes in targets.items()]
    )


def start_next_cycle(case: Case, *, now: datetime) -> None:
    """Start the resolve clock of the case's present cycle; the one before keeps its outcome."""
    seconds = _policy(case.severity).reopened_resolve_minutes * 60
    _clock(case, Metric.RESOLVE, seconds, now).save(force_insert=True)


def _clock(case: Case, metric: str, seconds: int, now: datetime) -> SlaClock:
    due = now + timedelta(seconds=seconds)
    return SlaClock(
        case=case,
        metric=metric,
        cycle=case.cycle,
        started_at=now,
        target_seconds=seconds,
        running_since=now,
        due_at=due,
        warn_at=_warn_at(due, seconds),
    )


def _warn_at(due: datetime, seconds: float) -> datetime:
    return due - min(timedelta(seconds=seconds / 4), WARN_BEFORE)


def stop_clocks(case_id: int, *metrics: str, at: datetime) -> None:
    """Stop the awaited clocks of these metrics because the awaited thing happened at `at`.

    Met or breached follows from `at` alone: news that comes after the sweep of a hand-over in time still
    makes the clock met.
    """
    rows = SlaClock.objects.filter(case_id=case_id, metric__in=metrics, stopped_at=None)
    # A paused clock has no due time; give it the one it would have if it ran on from here.
    for clock in rows.filter(state=State.PAUSED):
        _run_again(clock, now=at)
    awaited = rows.filter(state__in=AWAITED)
    awaited.filter(due_at__gte=at).update(
        state=State.MET, stopped_at=at, breached_at=None, running_since=None, warn_at=None
    )
    awaited.filter(due_at__lt=at).update(
        state=State.BREACHED, stopped_at=at, breached_at=F("due_at"), running_since=None, warn_at=None
    )


def pause_clocks(case_id: int, *, now: datetime) -> None:
    """Pause the running resolve clock; a late one stays late."""
    for clock in SlaClock.objects.filter(case_id=case_id, metric=Metric.RESOLVE, state=State.RUNNING):
        if clock.due_at is None or clock.running_since is None:
            continue
        if clock.due_at <= now:
            # Its time was up before the pause; the sweep has only not come by yet.
            SlaClock.objects.filter(pk=clock.pk).update(
                state=State.BREACHED, breached_at=clock.due_at, running_since=None, warn_at=None
            )
            continue
        used = clock.accrued_seconds + int((now - clock.running_since).total_seconds())
        SlaClock.objects.filter(pk=clock.pk, state=State.RUNNING).update(
            state=State.PAUSED, accrued_seconds=used, running_since=None, due_at=None, warn_at=None
        )


def resume_clocks(case_id: int, *, now: datetime) -> None:
    """Let the paused clocks run on with the time they had left."""
    for clock in SlaClock.objects.filter(case_id=case_id, state=State.PAUSED):
        _run_again(clock, now=now)


def _run_again(clock: SlaClock, *, now: datetime) -> None:
    left = max(clock.target_seconds - clock.accrued_seconds, 0)
    due = now + timedelta(seconds=left)
    SlaClock.objects.filter(pk=clock.pk, state=State.PAUSED).update(
        state=State.RUNNING, running_since=now, due_at=due, warn_at=_warn_at(due, left)
    )


def cancel_clocks(case_id: int) -> None:
    """End the clocks of a case that nobody has to answer any more."""
    SlaClock.objects.filter(case_id=case_id, stopped_at=None).exclude(state=State.CANCELLED).update(
        state=State.CANCELLED, running_since=None, warn_at=None
    )


def show_next_due(case_ids: Iterable[int]) -> None:
    """Copy the most urgent awaited clock of each case onto its row."""
    for case_id in case_ids:
        awaited = SlaClock.objects.filter(case_id=case_id, stopped_at=None, state__in=AWAITED)
        clock = awaited.order_by("due_at").first()
        Case.objects.filter(pk=case_id).update(
            next_due_at=clock.due_at if clock else None, next_metric=clock.metric if clock else ""
        )


def follow_move(case: Case, trigger: str, *, now: datetime) -> None:
    """Do to the clocks what a move of the case means for them."""
    if trigger in ("claim", "assign", "first_reply"):
        stop_clocks(case.pk, Metric.ACK, at=now)
    elif trigger == "wait_customer":
        pause_clocks(case.pk, now=now)
    elif trigger in ("resume", "customer_replied"):
        resume_clocks(case.pk, now=now)
    elif trigger == "resolve":
        # The first reply may be on its way: its clock is decided when it is handed over.
        stop_clocks(case.pk, Metric.ACK, Metric.RESOLVE, at=now)
    elif trigger == "reopen" or trigger == "restore":
        start_next_cycle(case, now=now)
    elif trigger in ("void", "merge", "close"):
        cancel_clocks(case.pk)
    show_next_due([case.pk])


def sweep_breaches(*, now: datetime) -> list[SlaClock]:
    """Mark running clocks whose time is up as late, at the time it was up; return those this call marked.

    Two sweeps at once mark each clock once: the UPDATE names the state it expects.
    """
    marked = []
    due = SlaClock.objects.filter(state=State.RUNNING, due_at__lte=now).select_related("case__owner")
    for clock in due.order_by("due_at")[:SWEEP_ROWS]:
        with transaction.atomic():
            Case.objects.select_for_update().filter(pk=clock.case_id).first()
            rows = SlaClock.objects.filter(pk=clock.pk, state=State.RUNNING, due_at=clock.due_at)
            if rows.update(state=State.BREACHED, breached_at=clock.due_at, running_since=None, warn_at=None):
                show_next_due([clock.case_id])
                marked.append(clock)
    return marked


def take_warnings(*, now: datetime) -> list[SlaClock]:
    """Return the clocks that are to be warned about now, each once."""
    taken = []
    rows = SlaClock.objects.filter(
        Q(case__state__in=(CaseState.NEW, CaseState.OPEN, CaseState.WAIT_DEPT, CaseState.WAIT_THIRD)),
        state=State.RUNNING,
        warn_at__lte=now,
        due_at__gt=now,
    ).select_related("case__owner")
    for clock in rows.order_by("warn_at")[:SWEEP_ROWS]:
        told = SlaClock.objects.filter(pk=clock.pk, warn_at=clock.warn_at).update(warn_at=None)
        taken += [clock] * told
    return taken
