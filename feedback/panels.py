"""Cases on a customer's page, in their timeline, in the search and behind an origin."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _

from feedback.models import Case, CaseState
from feedback.services.news import case_url
from feedback.services.search import search_cases
from notifyhub.core.registry import SearchHit, TimelineEntry

ROWS = 5
TONES = {CaseState.NEW: "violet", CaseState.OPEN: "blue", CaseState.RESOLVED: "green"}


def cases_panel(request: Any, customer: Any) -> str:
    """Return the card with the customer's last cases; three queries."""
    rows = Case.objects.visible_to(request.user).filter(customer=customer)
    cases = list(
        rows.select_related("category", "owner").defer("contact_phone").order_by("-created_at")[: ROWS + 1]
    )
    context = {"cases": cases[:ROWS], "more": len(cases) > ROWS, "customer": customer}
    return render_to_string("feedback/customer_panel.html", context, request)


def log_action(request: Any, customer: Any) -> dict[str, Any] | None:
    """Return the button of the customer's page that logs a call with them."""
    if not request.user.has_perm("feedback.add_case"):
        return None
    return {
        "title": _("Log a call"),
        "icon": "add_ic_call",
        "url": f"{reverse('admin:feedback_case_add')}?customer={customer.pk}",
        "key": "n",
        "primary": True,
    }


def case_entries(
    *, customer_id: int, before: datetime | None, limit: int, request: Any
) -> Sequence[TimelineEntry]:
    """Return the customer's cases as lines of their timeline, newest first."""
    rows = Case.objects.visible_to(request.user).filter(customer_id=customer_id)
    if before is not None:
        rows = rows.filter(created_at__lt=before)
    return [
        TimelineEntry(
            at=case.created_at,
            kind="case",
            title=case.summary,
            detail=f"{case.category} · {case.number}",
            icon="support_agent",
            chip=case.get_state_display(),
            tone=TONES.get(CaseState(case.state), "grey"),
            url=case_url(case.pk),
        )
        for case in rows.select_related("category").defer("contact_phone").order_by("-created_at")[:limit]
    ]


def find_cases(request: Any, text: str) -> list[SearchHit]:
    """Return the cases that the global search found."""
    rows = search_cases(text=text, user=request.user).select_related("customer")
    return [
        SearchHit(
            title=f"{case.number} · {case.summary}",
            description=f"{case.get_state_display()} · {case.customer or case.contact_masked}",
            url=case_url(case.pk),
            icon="support_agent",
        )
        for case in rows.defer("contact_phone").order_by("-created_at")[:ROWS]
    ]


def resolve_origins(numbers: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return title and link of each case number that asked for a message."""
    rows = Case.objects.filter(number__in=list(numbers)).values_list("number", "pk", "summary")
    return {number: (f"{number} · {summary}", case_url(pk)) for number, pk, summary in rows}
