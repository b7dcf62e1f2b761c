"""Somebody was faster: both values side by side, and the typed text kept."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from feedback.admin.base import ServicePage
from feedback.admin.thread import event_text
from feedback.models import Case, CaseEvent, Category, Severity
from feedback.services.drafts import save_draft
from notifyhub.core.numbers import read_number

TEXTS = {
    "body": _("Your text"),
    "message": _("Message to the customer"),
    "reason": _("Reason"),
}
FACTS = {
    "summary": pgettext_lazy("case", "Summary"),
    "category": _("Category"),
    "severity": _("Severity"),
    "order_number": pgettext_lazy("purchase", "Order"),
}
CONFLICT_EVENTS = 5


def _now(case: Case, name: str) -> tuple[str, Any]:
    """Return (value, words) of a fact as it is now."""
    if name == "category":
        return str(case.category_id), case.category
    if name == "severity":
        return case.severity, case.get_severity_display()
    value = getattr(case, name)
    return value, value or "—"


def _yours(name: str, value: str) -> Any:
    if name == "category" and (number := read_number(value)) is not None:
        return Category.objects.filter(pk=number).first() or "—"
    if name == "severity" and value in Severity.values:
        return Severity(value).label
    return value or "—"


def show_conflict(
    page: ServicePage, case: Case, *, act: str, typed: dict[str, str], sentence: str
) -> HttpResponse:
    """Answer 409 with what changed, what was typed, and the choice to send it again or drop it."""
    user: Any = page.request.user
    if act == "send" and typed.get("body"):
        # Closing the page now must not lose the text either.
        save_draft(
            case_id=case.pk,
            user=user,
            mode=typed.get("mode", ""),
            channel=typed.get("channel", ""),
            body=typed["body"],
        )
    facts = []
    for name, label in FACTS.items():
        if act == "facts" and name in typed:
            value, words = _now(case, name)
            if value != typed[name]:
                facts.append(
                    {
                        "name": name,
                        "label": label,
                        "now_value": value,
                        "now": words,
                        "yours_value": typed[name],
                        "yours": _yours(name, typed[name]),
                    }
                )
    shown = {"version", *[fact["name"] for fact in facts], *[name for name in TEXTS if typed.get(name)]}
    events = CaseEvent.objects.filter(case=case).order_by("-id")[:CONFLICT_EVENTS]
    target = reverse("admin:feedback_case_facts", args=[case.pk])
    if act != "facts":
        target = reverse("admin:feedback_case_act", args=[case.pk, act])
    context = {
        "case": case,
        "title": _("The case has changed"),
        "crumbs": [
            *page.base_crumbs(),
            (case.number, reverse("admin:feedback_case_change", args=[case.pk])),
            (_("The case has changed"), ""),
        ],
        "sentence": sentence,
        "events": [{"at": event.at, "text": event_text(event)} for event in events],
        "facts": facts,
        "texts": [(name, label, typed[name]) for name, label in TEXTS.items() if typed.get(name)],
        "hidden": [(name, value) for name, value in typed.items() if name not in shown],
        "target": target,
    }
    return render(page.request, "feedback/conflict.html", page.get_context_data(**context), status=409)
