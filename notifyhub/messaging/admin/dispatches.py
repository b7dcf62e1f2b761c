"""Dispatches: the list, the page with live counts, and pause, resume, cancel."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from unfold.decorators import display

from notifyhub.core.admin import LedgerAdmin, PageMixin
from notifyhub.core.errors import Refused
from notifyhub.core.templatetags.nh import bar, chip, number, when
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.admin.ledger.message import request_line
from notifyhub.messaging.looks import CHANNEL_ICONS, CLASS_TONES, DISPATCH_TONES
from notifyhub.messaging.models import Delivery, Dispatch
from notifyhub.messaging.services.dispatches import (
    Progress,
    cancel_dispatch,
    pause_dispatch,
    progress,
    resume_dispatch,
)
from notifyhub.messaging.services.ledger import resolve_origins

State = Dispatch.State
# Cancelling more than this many asks for the number typed.
TYPED_ABOVE = 1_000
POLL_SECONDS = 3


def dispatches_for(request: HttpRequest) -> QuerySet[Dispatch]:
    """Return the dispatches the viewer may see: with the permission, all."""
    return Dispatch.objects.select_related(
        "topic", "owner", "owner_team", "template_version__template", "template_version__created_by"
    ).defer("text")


def dispatch_or_404(request: HttpRequest, pk: Any) -> Dispatch:
    """Return the dispatch or 404."""
    try:
        found = dispatches_for(request).filter(pk=int(pk)).first()
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise Http404
    return found


def state_rows(dispatch: Dispatch, counts: Progress) -> list[tuple[Any, int, str, str]]:
    """Return (label, count, tone, link) by state; they add up to what was planned."""
    ledger = f"{reverse('admin:messaging_delivery_changelist')}?dispatch={dispatch.pk}&state="
    arrived = counts.delivered
    rows: list[tuple[Any, int, str, int]] = [
        (_("Delivered"), arrived, "green", Delivery.State.DELIVERED),
        (_("Handed over, arrival not reported"), counts.sent - arrived, "violet", Delivery.State.SENT),
        (_("Failed"), counts.failed, "red", Delivery.State.FAILED),
        (_("Unknown"), counts.unknown, "orange", Delivery.State.UNKNOWN),
        (_("Skipped"), counts.skipped, "grey", Delivery.State.SKIPPED),
        (_("Expired"), counts.expired, "grey", Delivery.State.EXPIRED),
        (_("Cancelled"), counts.cancelled, "grey", Delivery.State.CANCELLED),
        (_("Not sent yet"), counts.open, "blue", Delivery.State.PLANNED),
    ]
    return [(label, count, tone, f"{ledger}{int(state)}") for label, count, tone, state in rows]


def live_context(request: HttpRequest, dispatch: Dispatch) -> dict[str, Any]:
    """Return what the live part shows: counts that close, reasons, and the buttons that fit the state."""
    counts = progress(dispatch_id=dispatch.pk)
    reasons = [
        (
            Delivery.Reason(reason).label if reason in Delivery.Reason.values else reason,
            count,
            f"{reverse('admin:messaging_delivery_changelist')}?dispatch={dispatch.pk}&reason={reason}",
        )
        for reason, count in sorted(counts.by_reason.items(), key=lambda pair: -pair[1])
    ]
    return {
        "dispatch": dispatch,
        "counts": counts,
        "done": counts.planned - counts.open,
        "rows": [row for row in state_rows(dispatch, counts) if row[1]],
        "reasons": reasons,
        "tone": DISPATCH_TONES[State(dispatch.state)],
        "open": dispatch.state not in (State.FINISHED, State.CANCELLED),
        "may_control": request.user.has_perm("messaging.control_dispatch"),
        "can_pause": dispatch.state == State.RUNNING,
        "can_resume": dispatch.state == State.PAUSED,
        "can_cancel": Dispatch.FLOW.allows(dispatch.state, State.CANCELLING)
        or dispatch.state == State.SCHEDULED,
        "typed": counts.open if counts.open > TYPED_ABOVE else 0,
        "poll_seconds": POLL_SECONDS,
    }


class DispatchPage(PageMixin, TemplateView):
    """One dispatch: how far it is, what became of its messages and why."""

    template_name = "messaging/dispatch/page.html"
    permission_required = "messaging.view_dispatch"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        dispatch = dispatch_or_404(self.request, self.kwargs["pk"])
        self.title = dispatch.title
        self.crumbs = [
            (_("Dispatches"), reverse("admin:messaging_dispatch_changelist")),
            (dispatch.title, ""),
        ]
        origin = resolve_origins([dispatch]).get(dispatch.pk, ("", ""))
        steps = [step.get("channel", "") for step in dispatch.chain]
        return super().get_context_data(
            **live_context(self.request, dispatch),
            class_tone=CLASS_TONES[dispatch.message_class],  # type: ignore[index]
            line=request_line(dispatch, origin),
            steps=[
                (one, Channel(one).label, CHANNEL_ICONS[Channel(one)])
                for one in steps
                if one in Channel.values
            ],
            **kwargs,
        )


class DispatchLive(PageMixin):
    """The live part, polled while the dispatch is open."""

    permission_required = "messaging.view_dispatch"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        context = live_context(request, dispatch_or_404(request, pk))
        return render(request, "messaging/dispatch/live.html", {**context, "oob": True})


class Control(PageMixin):
    """A POST that moves a dispatch and returns to its page with a word on it."""

    permission_required = "messaging.control_dispatch"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        dispatch = dispatch_or_404(request, pk)
        try:
            messages.success(request, self.act(request, dispatch))
        except Refused as refusal:
            messages.error(request, str(refusal))
        return redirect("admin:messaging_dispatch_change", dispatch.pk)

    def act(self, request: HttpRequest, dispatch: Dispatch) -> str:
        """Do it; return what to say."""
        raise Refused(_("This cannot be done."))


class Pause(Control):
    """Stops handing over."""

    def act(self, request: HttpRequest, dispatch: Dispatch) -> str:
        reason = request.POST.get("reason", "").strip()
        if not reason:
            raise Refused(_("Say why, so that a colleague knows what to wait for."))
        pause_dispatch(dispatch_id=dispatch.pk, reason=reason)
        return _("Paused. What is at the provider already still goes out.")


class Resume(Control):
    """Goes on."""

    def act(self, request: HttpRequest, dispatch: Dispatch) -> str:
        resume_dispatch(dispatch_id=dispatch.pk)
        return _("It goes on.")


class Cancel(Control):
    """Ends it; a large rest asks for its number typed."""

    def act(self, request: HttpRequest, dispatch: Dispatch) -> str:
        rest = progress(dispatch_id=dispatch.pk).open
        typed = "".join(char for char in request.POST.get("count", "") if char.isdigit())
        shown = request.POST.get("shown", "")
        if rest > TYPED_ABOVE and (not typed or typed != shown):
            raise Refused(_("Type the number of messages that are cancelled; nothing was cancelled."))
        cancel_dispatch(dispatch_id=dispatch.pk, reason=request.POST.get("reason", "").strip())
        return _("Cancelled: nothing more goes out.")


@admin.register(Dispatch)
class DispatchAdmin(LedgerAdmin):
    """Sending jobs, newest first."""

    list_display = ("shown_title", "shown_class", "shown_state", "shown_progress", "shown_skipped", "created")
    list_display_links = ("shown_title",)
    list_filter = ("state", "message_class", "origin_kind")
    list_select_related = ("owner_team",)
    list_per_page = 25
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Dispatch]:
        return super().get_queryset(request).defer("text", "audience")

    @display(description=gettext_lazy("title"))
    def shown_title(self, dispatch: Dispatch) -> SafeString:
        team = str(dispatch.owner_team or "")
        return format_html(
            '{}<br><span class="nh-muted nh-small">{}</span>',
            dispatch.title,
            " · ".join(part for part in (f"#{dispatch.pk}", team, dispatch.trigger) if part),
        )

    @display(description=gettext_lazy("message class"))
    def shown_class(self, dispatch: Dispatch) -> SafeString:
        return chip(dispatch.get_message_class_display(), CLASS_TONES[dispatch.message_class])  # type: ignore[index]

    @display(description=gettext_lazy("state"))
    def shown_state(self, dispatch: Dispatch) -> SafeString:
        return chip(dispatch.get_state_display(), DISPATCH_TONES[State(dispatch.state)])

    @display(description=gettext_lazy("handed over of planned"))
    def shown_progress(self, dispatch: Dispatch) -> SafeString:
        ended = dispatch.failed + dispatch.skipped + dispatch.unknown + dispatch.expired + dispatch.cancelled
        return format_html(
            "{}<span class='nh-small'>{} / {}</span>",
            bar(dispatch.sent + ended, dispatch.planned, DISPATCH_TONES[State(dispatch.state)]),
            number(dispatch.sent),
            number(dispatch.planned),
        )

    @display(description=gettext_lazy("skipped · failed · unknown"))
    def shown_skipped(self, dispatch: Dispatch) -> str:
        return f"{number(dispatch.skipped)} · {number(dispatch.failed)} · {number(dispatch.unknown)}"

    @display(description=gettext_lazy("created"))
    def created(self, dispatch: Dispatch) -> str:
        return when(dispatch.created_at)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return DispatchPage.as_view(model_admin=self)(request, pk=object_id)  # type: ignore[return-value]

    def get_urls(self) -> list[Any]:
        def page(route: str, view: Any, name: str) -> Any:
            bound = self.admin_site.admin_view(view.as_view(model_admin=self))
            return path(f"<int:pk>/{route}/", bound, name=f"messaging_dispatch_{name}")

        return [
            page("live", DispatchLive, "live"),
            page("pause", Pause, "pause"),
            page("resume", Resume, "resume"),
            page("cancel", Cancel, "cancel"),
            *super().get_urls(),
        ]
