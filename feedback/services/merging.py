"""Cases follow their customer when two customer rows turn out to be one person, and back."""

from django.db import transaction

from feedback.models import Case, CaseEvent
from feedback.services.transitions import change_case

KIND = "customer_merged"


def follow_merge(*, kept_id: int, merged_id: int) -> int:
    """Move the cases of the merged customer to the kept one; return how many."""
    moved = 0
    for pk in Case.objects.filter(customer_id=merged_id).values_list("pk", flat=True):
        with transaction.atomic():
            change_case(
                case_id=pk,
                kind=KIND,
                actor=None,
                changes={"customer_id": kept_id},
                data={"from": merged_id, "to": kept_id},
            )
        moved += 1
    return moved


def follow_unmerge(*, kept_id: int, merged_id: int) -> int:
    """Give the cases that came by this merge back; return how many."""
    came = CaseEvent.objects.filter(kind=KIND, data={"from": merged_id, "to": kept_id})
    moved = 0
    for pk in Case.objects.filter(customer_id=kept_id, pk__in=came.values("case_id")).values_list(
        "pk", flat=True
    ):
        with transaction.atomic():
            change_case(
                case_id=pk,
                kind="customer_unmerged",
                actor=None,
                changes={"customer_id": merged_id},
                data={"from": kept_id, "to": merged_id},
            )
        moved += 1
    return moved
