"""The posts of the case page: each opens onto one service and comes back to the page."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from feedback.admin.conflict import show_conflict
from feedback.admin.page import CaseView
from feedback.models import Case
from feedback.services import drafts, handling, intake, notes, replies
from notifyhub.core.errors import Conflict, Refused
from notifyhub.core.numbers import read_number
from notifyhub.staff.models import User


def read_moment(text: str) -> datetime | None:
    """Return a local date and time from a form, in the viewer's zone; None if it is none."""
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    if moment is not None and timezone.is_naive(moment):
        moment = timezone.make_aware(moment)
    return moment


class PostView(CaseView):
    """One post: success goes back to the page, a refusal shows it with the typed text, a conflict asks."""

    permission_required = "feedback.change_case"

    def run(self, case: Case, act: str, work: Callable[[dict[str, str], User], Any]) -> HttpResponse:
        """Do `work` and answer."""
        typed = {
            name: str(value) for name, value in self.request.POST.items() if name != "csrfmiddlewaretoken"
        }
        user: Any = self.request.user
        try:
            work(typed, user)
        except Conflict as conflict:
            return show_conflict(self, self.get_case(case.pk), act=act, typed=typed, sentence=str(conflict))
        except Refused as refusal:
            return self.show(
                self.get_case(case.pk),
                act=act,
                error=str(refusal),
                field=refusal.field or "",
                typed=typed,
                status=422,
            )
        return redirect("admin:feedback_case_change", case.pk)


class CaseAct(PostView):
    """send, wait, resume, resolve, reopen, void, assign, name."""

    def post(self, request: HttpRequest, pk: int, act: str, *args: Any, **kwargs: Any) -> HttpResponse:
        case = self.get_case(pk)
        work = {
            "send": self.send,
            "wait": self.wait,
            "resume": self.resume,
            "resolve": self.resolve,
            "reopen": self.reopen,
            "void": self.void,
            "assign": self.assign,
            "name": self.name_customer,
        }.get(act)
        if work is None:
            raise Http404
        return self.run(case, act, lambda typed, user: work(case.pk, typed, user))

    def send(self, pk: int, typed: dict[str, str], user: User) -> None:
        """Answer the customer, or leave a note, or write down a call."""
        body = typed.get("body", "")
        if typed.get("mode") == "note":
            notes.add_note(case_id=pk, actor=user, body=body)
        elif typed.get("mode") == "call":
            notes.log_call(case_id=pk, actor=user, body=body)
        else:
            replies.reply(
                case_id=pk,
                actor=user,
                body=body,
                channel=typed.get("channel", ""),
                version=read_number(typed.get("version", "")) or 0,
            )
            if typed.get("then") == "wait":
                self.park(pk, user)

    def park(self, pk: int, user: User) -> None:
        """Let the answered case wait for the customer two days, where the table allows it."""
        until = timezone.now() + timedelta(days=2)
        handling.wait_case(
            case_id=pk,
            actor=user,
            party="customer",
            reason=_("Waiting for an answer"),
            until=until,
            version=None,
        )

    def wait(self, pk: int, typed: dict[str, str], user: User) -> None:
        """Park the case."""
        handling.wait_case(
            case_id=pk,
            actor=user,
            party=typed.get("party", ""),
            reason=typed.get("reason", ""),
            until=read_moment(typed.get("until", "")),
            version=self.version(typed),
        )

    def version(self, typed: dict[str, str]) -> int:
        """Return the version the page was opened with; a post without one is stale."""
        return read_number(typed.get("version", "")) or 0

    def resume(self, pk: int, typed: dict[str, str], user: User) -> None:
        """Take a waiting case up again."""
        handling.resume_case(case_id=pk, actor=user, version=self.version(typed))

    def resolve(self, pk: int, typed: dict[str, str], user: User) -> None:
        """Resolve, with a last message if there is one."""
        handling.resolve_case(
            case_id=pk,
            actor=user,
            decision=typed.get("decision", ""),
            resolution_code=typed.get("resolution_code", ""),
            root_cause=typed.get("root_cause", ""),
            message=typed.get("message", ""),
            channel=typed.get("channel", ""),
            category_id=read_number(typed.get("category", "")),
            version=self.version(typed),
        )
        messages.success(self.request, _("Resolved. It closes by itself after seven quiet days."))

    def reopen(self, pk: int, typed: dict[str, str], user: User) -> None:
        """Open a resolved case again."""
        handling.reopen_case(
            case_id=pk, actor=user, reason=typed.get("reason", ""), version=self.version(typed)
        )

    def void(self, pk: int, typed: dict[str, str], user: User) -> None:
        """Set aside what is no case."""
        handling.void_case(
            case_id=pk, actor=user, reason=typed.get("reason", ""), version=self.version(typed)
        )

    def assign(self, pk: int, typed: dict[str, str], user: User) -> None:
        """Give the case to a colleague, or back to the queue."""
        chosen = read_number(typed.get("owner", ""))
        owner = User.objects.filter(pk=chosen).first() if chosen else None
        if chosen and owner is None:
            raise Refused(_("Choose a colleague from the list."), field="owner")
        handling.assign_case(case_id=pk, actor=user, owner=owner, version=self.version(typed))

    def name_customer(self, pk: int, typed: dict[str, str], user: User) -> None:
        """Say whose case this is."""
        intake.name_customer(
            case_id=pk,
            actor=user,
            version=self.version(typed),
            customer_id=read_number(typed.get("customer", "")),
            phone=typed.get("phone", ""),
        )


class FactsAct(PostView):
    """Correct category, severity, order, summary."""

    def post(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        case = self.get_case(pk)

        def work(typed: dict[str, str], user: User) -> None:
            handling.update_facts(
                case_id=case.pk,
                actor=user,
                version=read_number(typed.get("version", "")) or 0,
                category_id=read_number(typed.get("category", "")),
                severity=typed.get("severity", ""),
                order_number=typed.get("order_number"),
                summary=typed.get("summary", ""),
            )

        return self.run(case, "facts", work)


class RetryAct(PostView):
    """Send a failed answer again, by the same channel or another."""

    def post(self, request: HttpRequest, pk: int, line: int, *args: Any, **kwargs: Any) -> HttpResponse:
        case = self.get_case(pk)
        channel = request.POST.get("channel", "")
        return self.run(
            case,
            "retry",
            lambda typed, user: replies.retry_reply(
                interaction_id=line, case_id=case.pk, actor=user, channel=channel
            ),
        )


class DraftAct(CaseView):
    """Keep what is being written; answers with the time."""

    permission_required = "feedback.change_case"

    def post(self, request: HttpRequest, pk: int, *args: Any, **kwargs: Any) -> HttpResponse:
        case = self.get_case(pk)
        if not request.user.is_authenticated:
            raise PermissionDenied
        draft = drafts.save_draft(
            case_id=case.pk,
            user=request.user,
            mode=request.POST.get("mode", ""),
            channel=request.POST.get("channel", ""),
            body=request.POST.get("body", ""),
        )
        at = timezone.localtime(draft.saved_at).strftime("%H:%M") if draft else ""
        return JsonResponse({"saved": at, "text": _("Draft kept %s") % at if at else ""})
