"""Periodic work: each step is idempotent and a few hundred rows long."""

from django.utils import timezone

from feedback.models import Case, CaseState
from feedback.models.flow import WAITING
from feedback.services import clocks, handling, holds, news, replies
from notifyhub.core.errors import Refused

ROWS = 500


def sweep_clocks() -> int:
    """Bring in the ledger's news, then warn, then mark what is late; return how many rows moved.

    The news come first: an answer handed over in time must not be called late for want of a signal.
    """
    did = replies.settle_open_replies()
    now = timezone.now()
    for clock in clocks.take_warnings(now=now):
        news.tell_warning(clock)
        did += 1
    for clock in clocks.sweep_breaches(now=now):
        news.tell_breach(clock)
        did += 1
    return did


def end_waits() -> int:
    """Take up the cases whose waiting time is over and tell their owners; return how many."""
    did = 0
    over = Case.objects.filter(state__in=WAITING, wait_until__lte=timezone.now())
    for pk in over.order_by("wait_until").values_list("pk", flat=True)[:ROWS]:
        try:
            case = handling.resume_case(case_id=pk, actor=None)
        except Refused:
            # Somebody was faster: the case waits no more.
            continue
        news.tell_owner(
            case, f"{case.number}: {case.get_state_display()}", dedup=f"wait-over:{pk}:{case.version}"
        )
        did += 1
    return did


def close_resolved() -> int:
    """Close what was resolved a week ago and stayed quiet, lift old holds; return how many cases."""
    did = 0
    quiet = Case.objects.filter(
        state=CaseState.RESOLVED, resolved_at__lte=timezone.now() - Case.CLOSE_AFTER
    ).exclude(kind=Case.Kind.REGULATOR)
    for pk in quiet.order_by("resolved_at").values_list("pk", flat=True)[:ROWS]:
        try:
            handling.close_case(case_id=pk)
        except Refused:
            continue
        did += 1
    return did + holds.lift_old_holds()


def run_case_sweep() -> int:
    """Run what is due every half minute; return how much was done."""
    return sweep_clocks() + end_waits()
