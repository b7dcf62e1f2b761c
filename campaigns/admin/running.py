"""The running and the finished campaign, and its recipients."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.admin.labels import run_look
from campaigns.admin.pages import CampaignPage, address
from campaigns.models import Run
from campaigns.services.audience import describe_audience
from campaigns.services.preflight import content_of
from campaigns.services.report import (
    STATES,
    TONES,
    certify,
    certify_people,
    ended_at,
    list_recipients,
    minutes_of,
    reasons_of,
    took,
)
from campaigns.services.runs import progress_of
from notifyhub.messaging.models import Delivery, Dispatch
from notifyhub.messaging.services.chains import steps_of
from notifyhub.messaging.services.dispatches import what_holds, what_limits

State = Dispatch.State
OPEN = (State.SCHEDULED, State.PLANNING, State.RUNNING, State.PAUSED, State.CANCELLING)


class RunningPage(CampaignPage):
    """A page about the newest run; a campaign without one goes back to its plan."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        self.kwargs = kwargs
        if request.user.has_perm("campaigns.view_campaign") and self.run is None:
            return HttpResponseRedirect(address("audience", self.campaign))
        return super().dispatch(request, *args, **kwargs)

    def numbers(self) -> dict[str, Any]:
        """Return what the live part shows, all from one reading of the counters."""
        assert self.run is not None
        run: Run = self.run
        progress = progress_of(run)
        certificate = certify(progress)
        held = what_holds(run.dispatch) if progress.open else []
        ended = progress.planned - progress.open
        steps = steps_of(run.dispatch)
        undone = progress.skipped + progress.failed + progress.unknown
        reasons = reasons_of(progress.by_reason, total=undone)
        dropped = [line for line in certificate.lines if line.code in ("expired", "cancelled")]
        dropped_count = sum(line.count for line in dropped)
        return {
            "campaign": self.campaign,
            "run": run,
            "look": run_look(run),
            "live": run.dispatch.state in OPEN,
            "waiting": run.dispatch.state in (State.SCHEDULED, State.PLANNING),
            "state": run.dispatch.state,
            "progress": progress,
            "held": held,
            "limited": what_limits(run.dispatch, progress, held),
            "ended": ended,
            "share": ended / progress.planned if progress.planned else 0,
            "tone": {"paused": "orange", "cancelling": "orange", "finished": "green"}.get(
                run.dispatch.state, "violet"
            ),
            "certificate": certificate,
            "reasons": reasons,
            "dropped": dropped,
            "dropped_count": dropped_count,
            "not_sent": undone + dropped_count,
            "most": max((line.count for line in (*reasons, *dropped)), default=0),
            "steps": steps,
            "has_dropped": any(step.dropped for step in steps),
            "has_steps": any(step.messages for step in steps),
            "people": certify_people(progress),
            "ended_at": ended_at(run),
            "took": took(run),
            "now": timezone.now(),
            "delivered_share": progress.delivered / progress.sent if progress.sent else None,
        }


class RunPage(RunningPage):
    """The whole page; its middle renews itself while the run is open."""

    template_name = "campaigns/run.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        assert self.run is not None
        return self.show(
            **self.numbers(),
            words=describe_audience(self.campaign),
            content=content_of(self.campaign),
            minutes=minutes_of(self.run),
        )


class RunLive(RunningPage):
    """The middle: polled while open; a change of state renews the page, so that the buttons fit again."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        context = self.numbers()
        response = render(request, "campaigns/parts/run_live.html", context)
        if request.GET.get("state", context["state"]) != context["state"]:
            response["HX-Refresh"] = "true"
        return response


class RunMinutes(RunningPage):
    """The chart, renewed more seldom than the numbers."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        assert self.run is not None
        context = {
            "campaign": self.campaign,
            "minutes": minutes_of(self.run),
            "live": self.run.dispatch.state in OPEN,
        }
        return render(request, "campaigns/parts/run_minutes.html", context)


class RecipientsPage(RunningPage):
    """Who got it and who did not, fifty at a time, by key and never by page number."""

    template_name = "campaigns/recipients.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        assert self.run is not None
        state, reason = request.GET.get("state", ""), request.GET.get("reason", "")
        raw = request.GET.get("after", "")
        after = int(raw) if raw.isdecimal() and len(raw) < 19 else 0
        state = state if state in STATES else ""
        reason = reason if reason in Delivery.Reason.values else ""
        rows, following = list_recipients(self.run, state=state, reason=reason, after=after)
        return self.show(
            rows=rows,
            following=following,
            after=after,
            state=state,
            reason=reason,
            states=[(name, number.label, TONES[number]) for name, number in STATES.items()],
            all_reasons=Delivery.Reason.choices,
            crumbs=[
                (_("Campaigns"), "../../"),
                (self.campaign.name, address("run", self.campaign)),
                (_("Recipients"), ""),
            ],
        )
