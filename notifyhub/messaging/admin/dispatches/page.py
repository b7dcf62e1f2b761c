"""The page of one dispatch and its live part."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from notifyhub.core.admin import PageMixin
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.admin.ledger.message import request_line
from notifyhub.messaging.looks import CHANNEL_ICONS, CLASS_TONES, DISPATCH_TONES
from notifyhub.messaging.models import Delivery, Dispatch
from notifyhub.messaging.services.chains import steps_of
from notifyhub.messaging.services.dispatches import Progress, progress, what_holds, what_limits
from notifyhub.messaging.services.ledger import origin_for, resolve_origins

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
        (_("Gathered into digests"), counts.gathered, "blue", Delivery.State.GATHERED),
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
        # These were not kept back: they have a line of their own above.
        if reason != Delivery.Reason.GATHERED
    ]
    held = what_holds(dispatch) if counts.open or dispatch.state == State.PLANNING else []
    return {
        "dispatch": dispatch,
        "counts": counts,
        "held": held,
        "limited": what_limits(dispatch, counts, held),
        "chain": steps_of(dispatch) if len(dispatch.chain) > 1 else [],
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
        self.title = dispatch.shown_title
        self.crumbs = [
            (_("Dispatches"), reverse("admin:messaging_dispatch_changelist")),
            (self.title, ""),
        ]
        found = resolve_origins([dispatch]).get(dispatch.pk, ("", ""))
        origin = origin_for(self.request.user, dispatch.origin_kind, found)
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
