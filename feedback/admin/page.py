"""One case on one screen: thread, case, customer."""

import hashlib
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from feedback.admin.base import ServicePage
from feedback.admin.thread import build_thread, thread_sign
from feedback.models import Case, CaseDraft, Category, Severity
from feedback.models.flow import OPEN_STATES
from feedback.services.channels import channel_choices
from feedback.services.transitions import legal_triggers
from notifyhub.core.registry import CaseSubject, case_panels
from notifyhub.customers.models import ContactPoint, Hold, Order
from notifyhub.messaging.services.ledger import messages_of
from notifyhub.staff.models import User

MESSAGES = 20
PARTIES = {
    "customer": (_("The customer"), timedelta(days=2)),
    "dept": (_("A department"), timedelta(days=1)),
    "third": (_("A third party (merchant, rider, hotel, airline, bank)"), timedelta(days=1)),
}


class CaseView(ServicePage):
    """Shows the case page, also with a refused form and the typed text in it."""

    def show(
        self,
        case: Case,
        *,
        act: str = "",
        error: str = "",
        field: str = "",
        typed: dict[str, str] | None = None,
        status: int = 200,
    ) -> HttpResponse:
        """Answer with the page; `act` names the form that `error` and `typed` belong to."""
        user: Any = self.request.user
        entries = build_thread(case)
        context = {
            "case": case,
            "title": case.number,
            "crumbs": [*self.base_crumbs(), (case.number, "")],
            "entries": entries,
            "now": timezone.now(),
            "act": act,
            "error": error,
            "error_field": field,
            "typed": typed or {},
            **self.composer(case, typed or {}, act),
            **self.moves(case),
            "clocks": sorted(case.clocks.exclude(state="cancelled"), key=_clock_order),
            "tab": self.request.GET.get("tab", "thread"),
        }
        context["may_write"] = user.has_perm("feedback.change_case")
        return render(self.request, "feedback/case.html", self.get_context_data(**context), status=status)

    def composer(self, case: Case, typed: dict[str, str], act: str) -> dict[str, Any]:
        """Return the composer: its text (typed, else the draft), its kind, the channels."""
        user: Any = self.request.user
        draft = CaseDraft.objects.filter(case=case, user=user).first()
        channels = channel_choices(case.customer)
        body, mode, chosen = "", "", ""
        if act == "send":
            body, mode, chosen = typed.get("body", ""), typed.get("mode", ""), typed.get("channel", "")
        elif draft:
            body, mode, chosen = draft.body, draft.mode, draft.channel
        if chosen not in [choice.code for choice in channels if choice.available]:
            chosen = next((choice.code for choice in channels if choice.available), "")
        mine = case.owner_id is None or case.owned_by(user) or user.has_perm("feedback.assign_case")
        may_reply = mine and case.state in OPEN_STATES and case.customer_id is not None and bool(chosen)
        return {
            "draft": draft if act != "send" else None,
            "body": body,
            "mode": mode or ("reply" if may_reply else "note"),
            "channels": channels,
            "chosen_channel": chosen,
            "may_reply": may_reply,
            "why_no_reply": "" if may_reply else self.why_no_reply(case, mine, bool(chosen)),
        }

    def why_no_reply(self, case: Case, mine: bool, reachable: bool) -> Any:
        """Return the reason beside the greyed reply."""
        if case.state not in OPEN_STATES:
            return _("The case is finished. Open it again to write to the customer.")
        if case.customer_id is None:
            return _("Nobody knows yet which customer this is.")
        if not mine:
            return _("%s owns this case; you can leave a note.") % case.owner
        return "" if reachable else _("No channel reaches this customer; call them.")

    def moves(self, case: Case) -> dict[str, Any]:
        """Return the legal moves and what their dialogs offer."""
        user: Any = self.request.user
        legal = legal_triggers(case, user)
        may_work = user.has_perm("feedback.change_case")
        may_assign = (
            may_work
            and case.state in OPEN_STATES
            and (user.has_perm("feedback.assign_case") or case.owned_by(user))
        )
        # The service refuses it for serious ones, so the button would only disappoint.
        may_void = "void" in legal and not case.is_serious_complaint
        now = timezone.localtime()
        return {
            "legal": legal,
            "may_claim": may_work and case.owner_id is None and case.state in OPEN_STATES,
            "may_assign": may_assign,
            "may_void": may_void,
            "colleagues": self.colleagues(case) if may_assign else [],
            "may_edit": may_work
            and (not case.owner_id or case.owned_by(user) or user.has_perm("feedback.assign_case")),
            "parties": [
                (code, label, (now + wait).strftime("%Y-%m-%dT%H:%M"))
                for code, (label, wait) in PARTIES.items()
                if f"wait_{code}" in legal
            ],
            "reason_dialogs": [
                ("reopen", _("Open again"), "reopen" in legal),
                ("void", _("Set aside as no case"), may_void),
            ],
            "unverified": _("unverified"),
            "decisions": Case.Decision.choices,
            "resolutions": Case.Resolution.choices,
            "causes": Case.RootCause.choices,
            "severities": Severity.choices,
            "categories": Category.objects.filter(active=True)
            .select_related("parent")
            .order_by("parent__position", "level", "position"),
        }

    def colleagues(self, case: Case) -> list[User]:
        """Return who may get the case: its team, or everybody who works on cases if it has none."""
        rows = User.objects.filter(is_active=True, groups__permissions__codename="change_case")
        if case.team_id:
            rows = rows.filter(memberships__team_id=case.team_id)
        return list(rows.distinct().order_by("username")[:50])


def _clock_order(clock: Any) -> tuple[bool, Any]:
    """Awaited clocks first, the most urgent on top."""
    return clock.stopped_at is not None, clock.due_at or clock.started_at


class CasePage(CaseView):
    """GET of the page."""

    def get(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.show(self.get_case(pk))


class ThreadPart(ServicePage):
    """The thread alone, polled; 304 while nothing has changed."""

    def get(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        case = self.get_case(pk)
        entries = build_thread(case)
        tag = f'"{hashlib.blake2s(thread_sign(case, entries).encode(), digest_size=12).hexdigest()}"'
        if request.headers.get("If-None-Match") == tag:
            answer: HttpResponse = HttpResponseNotModified()
        else:
            context = {
                "case": case,
                "entries": entries,
                "may_write": request.user.has_perm("feedback.change_case"),
                "channels": channel_choices(case.customer),
            }
            answer = render(request, "feedback/thread.html", context)
        answer["ETag"] = tag
        answer["X-Case-Version"] = str(case.version)
        answer["Cache-Control"] = "private, no-store"
        return answer


class CustomerColumn(ServicePage):
    """Who this is: identity masked, holds, orders, last messages with their state, other cases."""

    def get(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        case = self.get_case(pk)
        customer = case.customer
        context: dict[str, Any] = {"case": case, "customer": customer, "provisional_word": _("provisional")}
        context["may_name"] = case.is_open and request.user.has_perms(
            ["feedback.change_case", "feedback.add_case"]
        )
        context["panels"] = self.panels(case)
        if customer is not None:
            others = Case.objects.visible_to(request.user).filter(customer=customer).exclude(pk=case.pk)
            context |= {
                "points": ContactPoint.objects.filter(customer=customer)
                .defer("value")
                .order_by("kind", "-primary"),
                "holds": Hold.objects.filter(customer=customer, released_at=None)[:5],
                "orders": Order.objects.filter(customer=customer).order_by("-placed_at")[:5],
                "lines": messages_of(customer.pk, MESSAGES),
                "others": others.select_related("category")
                .defer("contact_phone")
                .order_by("-created_at")[:5],
            }
        return render(request, "feedback/customer_column.html", context)

    def panels(self, case: Case) -> list[tuple[Any, str]]:
        """Return (title, body) of what other apps tell about the case's customer or order."""
        if case.customer_id is None and not case.order_number:
            return []
        user, subject = self.request.user, CaseSubject(case.customer_id, case.order_number)
        return [
            (panel.title, panel.render(self.request, subject))
            for panel in case_panels
            if not panel.permission or user.has_perm(panel.permission)
        ]
