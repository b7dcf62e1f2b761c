"""Promotions wait while a serious complaint is open, and a week longer."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from feedback.models import Case, CaseState
from notifyhub.customers.models import Customer
from notifyhub.customers.services import holds

ORIGIN = "case"
KEEP_AFTER_CLOSE = timedelta(days=7)


def sync_hold(case: Case) -> None:
    """Place or lift the hold of this case so that it agrees with its state, severity and customer."""
    wanted = case.is_serious_complaint and case.state not in (CaseState.MERGED, CaseState.VOID)
    if wanted and not case.holds_promotions and case.state != CaseState.CLOSED:
        customer = case.customer
        if customer is None or customer.state != Customer.State.ACTIVE:
            return
        holds.place_hold(
            customer_id=customer.pk,
            scope="promotions",
            reason=_("Serious complaint %s is open") % case.number,
            origin_kind=ORIGIN,
            origin_id=case.number,
        )
        Case.objects.filter(pk=case.pk).update(holds_promotions=True)
    elif not wanted and case.holds_promotions:
        lift_hold(case)


def lift_hold(case: Case) -> None:
    """Release what this case holds."""
    holds.release_holds_of(origin_kind=ORIGIN, origin_id=case.number)
    Case.objects.filter(pk=case.pk).update(holds_promotions=False)


def lift_old_holds() -> int:
    """Release the holds of cases that were closed a week ago; return how many cases."""
    lifted = 0
    closed = Case.objects.filter(holds_promotions=True, closed_at__lte=timezone.now() - KEEP_AFTER_CLOSE)
    for case in closed.order_by("closed_at")[:500]:
        with transaction.atomic():
            lift_hold(case)
        lifted += 1
    return lifted
