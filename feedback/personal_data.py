"""What customer service keeps about a customer: the copy they may have, and forgetting it."""

from typing import Any

from feedback.models import Case, CaseDraft, Interaction
from notifyhub.core.registry import PersonalData, personal_data

ERASED = "—"


def export_cases(customer_id: int) -> list[dict[str, Any]]:
    """Return the customer's cases with what was said to and by them; internal notes are ours."""
    copies = []
    for case in Case.objects.filter(customer_id=customer_id).select_related("category"):
        said = case.interactions.exclude(direction=Interaction.Direction.INTERNAL)
        copies.append(
            {
                "number": case.number,
                "opened_at": case.created_at,
                "kind": case.kind,
                "category": case.category.code,
                "state": case.state,
                "summary": case.summary,
                "detail": case.detail,
                "phone": case.contact_phone,
                "order": case.order_number,
                "decision": case.decision,
                "thread": list(said.values("at", "direction", "kind", "channel", "body")),
            }
        )
    return copies


def erase_cases(customer_id: int) -> int:
    """Empty what was said and the caller's number; numbers, states and times stay for the statistics."""
    cases = Case.objects.filter(customer_id=customer_id)
    ids = list(cases.values_list("pk", flat=True))
    Interaction.objects.filter(case_id__in=ids).update(body=ERASED, subject="", sent_to="")
    # A waiting case must say what for; the sentence may name the customer.
    cases.exclude(wait_reason="").update(wait_reason=ERASED)
    CaseDraft.objects.filter(case_id__in=ids).delete()
    return cases.update(
        summary=ERASED,
        detail="",
        contact_phone=None,
        contact_hash=None,
        contact_last7_hash=None,
        contact_last4="",
        contact_masked="",
        order_number="",
        subject_ref="",
        delivery_ref="",
        delivery_line="",
        external_ref="",
    )


def register() -> None:
    """Hand the handler to the registry."""
    personal_data.register("feedback.Case", PersonalData(export=export_cases, erase=erase_cases))
