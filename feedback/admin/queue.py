"""The queue: views with live counts, rows that never move under the cursor, claim in one click."""

import hashlib
from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from feedback.admin.base import ServicePage, is_htmx
from feedback.models import Case
from feedback.services.handling import claim_case
from feedback.services.search import search_cases
from notifyhub.core.errors import Refused
from notifyhub.core.numbers import read_number

PAGE = 25
SEARCH_ROWS = 50

VIEWS: dict[str, tuple[Any, str, str]] = {
    "mine": (_("Mine"), "person", ""),
    "team": (_("My team's open"), "groups", ""),
    "due": (_("Due in 30 min"), "schedule", "orange"),
    "breached": (_("Late"), "error", "red"),
    "replied": (_("Customer replied"), "mark_chat_unread", "orange"),
    "unassigned": (_("To be claimed"), "person_add", ""),
    "waiting": (_("Waiting"), "hourglass_empty", ""),
    "failed": (_("Failed replies"), "sms_failed", "red"),
    "all": (_("All open"), "inbox", ""),
    "resolved": (_("Resolved"), "check_circle", ""),
}
EMPTY = {
    "mine": _("You own no open case."),
    "team": _("Your team has no open case."),
    "due": _("Nothing is due within 30 minutes."),
    "breached": _("Nothing is late."),
    "replied": _("No customer waits for an answer."),
    "unassigned": _("Every open case has an owner."),
    "waiting": _("No case waits for somebody."),
    "failed": _("Every reply reached its provider."),
    "all": _("No case is open."),
    "resolved": _("Nothing was resolved yet."),
}


def row_mark(case: Case) -> str:
    """Return a short sign of what a row shows; another sign means that the row is to be drawn again."""
    shown = (
        case.pk, case.version, case.state, case.owner_id, case.next_due_at, case.unanswered,
        case.failed_replies, case.last_customer_at, case.severity, case.summary, case.category_id,
    )  # fmt: skip
    return hashlib.blake2s(repr(shown).encode(), digest_size=6).hexdigest()


def _late(cases: list[Case]) -> int:
    now = timezone.now()
    return sum(1 for case in cases if case.next_due_at and case.next_due_at <= now)


class QueueMixin(ServicePage):
    """Which rows, which counts."""

    def view_name(self) -> str:
        """Return the chosen view; agents start with their own cases."""
        name = self.request.GET.get("view", "")
        if name in VIEWS:
            return name
        return "mine" if self.request.user.has_perm("feedback.change_case") else "all"

    def rows(self, view: str) -> tuple[list[Case], bool]:
        """Return one page of cases by key, and whether more follow."""
        rows = Case.objects.visible_to(self.request.user).in_view(
            view, user=self.request.user, now=timezone.now()
        )
        after = read_number(self.request.GET.get("after"))
        last = Case.objects.filter(pk=after).first() if after is not None else None
        if view == "resolved":
            rows = rows.order_by("-resolved_at", "-id")
            if last and last.resolved_at:
                rows = rows.filter(resolved_at__lte=last.resolved_at).exclude(
                    resolved_at=last.resolved_at, pk__gte=last.pk
                )
        else:
            rows = rows.in_queue_order()
            if last:
                rows = rows.after(last)
        found = list(rows.for_queue()[: PAGE + 1])
        return self.marked(found[:PAGE]), len(found) > PAGE

    def marked(self, cases: Sequence[Case]) -> list[Case]:
        """Return the rows with the sign by which the script knows whether to draw them again."""
        for case in cases:
            case.mark = row_mark(case)  # type: ignore[attr-defined]
        return list(cases)

    def queue_context(self) -> dict[str, Any]:
        """Return what the page and the poll both show; a constant number of queries."""
        view = self.view_name()
        cases, more = self.rows(view)
        counts = Case.objects.visible_to(self.request.user).count_views(
            user=self.request.user, now=timezone.now()
        )
        return {
            "view": view,
            "views": [
                {"name": name, "label": label, "icon": icon, "tone": tone, "count": counts.get(name)}
                for name, (label, icon, tone) in VIEWS.items()
            ],
            "cases": cases,
            "more": more,
            "counts": counts,
            "late": _late(cases),
            "now": timezone.now(),
            "may_work": self.request.user.has_perm("feedback.change_case"),
        }


class QueuePage(QueueMixin):
    """The page: GET shows a view, POST searches, so that no number lands in a URL or a log."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        context = self.queue_context()
        label = VIEWS[context["view"]][0]
        context |= {
            "crumbs": [*self.base_crumbs(), (label, "")],
            "title": label,
            "empty": EMPTY[context["view"]],
        }
        return render(request, "feedback/queue.html", self.get_context_data(**context))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        text = request.POST.get("q", "").strip()
        if not text:
            return redirect("admin:feedback_case_changelist")
        rows = search_cases(text=text, user=request.user)  # type: ignore[arg-type]
        found = list(rows.for_queue().order_by("-created_at")[: SEARCH_ROWS + 1])
        if len(found) == 1 and found[0].number.replace("-", "") in text.upper().replace("-", ""):
            return redirect("admin:feedback_case_change", found[0].pk)
        context = self.queue_context() | {
            "view": "",
            "searched": True,
            "term": text,
            "cases": self.marked(found[:SEARCH_ROWS]),
            "late": _late(found[:SEARCH_ROWS]),
            "more": False,
            "capped": len(found) > SEARCH_ROWS,
            "crumbs": [*self.base_crumbs(), (_("Search"), "")],
            "title": _("Search"),
            "empty": _("No case matches. Search by number, phone, order, last four digits or name."),
        }
        return render(request, "feedback/queue.html", self.get_context_data(**context))


class QueueRows(QueueMixin):
    """The poll: the rows and counts of now, or 304 when nothing has changed since the ETag."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        context = self.queue_context()
        language = getattr(request, "LANGUAGE_CODE", "")
        seen = "|".join(
            [context["view"], language, repr(context["counts"]), *(c.mark for c in context["cases"])]
        )
        tag = f'"{hashlib.blake2s(seen.encode(), digest_size=12).hexdigest()}"'
        if request.headers.get("If-None-Match") == tag:
            answer: HttpResponse = HttpResponseNotModified()
        else:
            answer = render(request, "feedback/queue_rows.html", context)
        answer["ETag"] = tag
        answer["Cache-Control"] = "private, no-store"
        return answer


class ClaimCase(QueueMixin):
    """Claim from the queue or the case page; the loser reads who was faster."""

    permission_required = "feedback.change_case"

    def post(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        case = self.get_case(pk)
        refusal = ""
        try:
            claim_case(case_id=case.pk, actor=request.user)  # type: ignore[arg-type]
        except Refused as error:
            refusal = str(error)
        if not is_htmx(request):
            from django.contrib import messages

            if refusal:
                messages.warning(request, refusal)
            return redirect(reverse("admin:feedback_case_change", args=[pk]))
        shown = self.marked(list(Case.objects.for_queue().filter(pk=pk)))[0]
        context = {"case": shown, "refusal": refusal, "may_work": True}
        return render(request, "feedback/queue_row.html", context, status=409 if refusal else 200)
