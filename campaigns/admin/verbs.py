"""Pre-flight and launch, and the buttons: each posts to one service."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.admin.pages import CampaignPage, address, status_of
from campaigns.models import Run
from campaigns.services.audience import describe_audience
from campaigns.services.launching import CONFIRM_ABOVE, launch_campaign
from campaigns.services.outlook import cap_labels, gives_up_in_between, look_ahead
from campaigns.services.plans import archive_campaign, copy_campaign
from campaigns.services.preflight import content_of, gives_up_before, preflight
from campaigns.services.report import reasons_of
from campaigns.services.runs import cancel_run, pause_run, progress_of, rest_of, resume_run
from notifyhub.core.errors import Refused
from notifyhub.core.templatetags.nh import number
from notifyhub.customers.models.consent import Channel


def read_count(raw: str) -> int | None:
    """Return a typed number of people, with or without thousands separators; None if it is none."""
    digits = "".join(raw.split()).replace(",", "").replace("，", "")
    return int(digits) if digits.isdecimal() and len(digits) < 16 else None


class PreflightPage(CampaignPage):
    """The frame of the pre-flight; the numbers come by themselves, since counting may take seconds."""

    template_name = "campaigns/preflight.html"
    tab = "preflight"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self.show(words=describe_audience(self.campaign), content=content_of(self.campaign))


class PreflightNumbers(CampaignPage):
    """Who gets it and who does not, and the launch dialog with today's number."""

    template_name = "campaigns/parts/preflight_numbers.html"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self.numbers()

    def numbers(self, *, status: int = 200, **context: Any) -> HttpResponse:
        """Answer with the numbers as they are now."""
        full = {
            "campaign": self.campaign,
            "may_launch": self.may_launch,
            "confirm_above": CONFIRM_ABOVE,
            **context,
        }
        try:
            found = preflight(self.campaign)
        except Refused as refusal:
            return render(self.request, self.template_name, {**full, "refusal": str(refusal)}, status=status)
        full |= {"found": found, "blocking": [p for p in found.problems if p.blocking]}
        if found.forecast:
            labels = dict(Channel.choices)
            content = content_of(self.campaign)
            outlook = look_ahead(self.campaign, content, found.forecast)
            assert self.campaign.template is not None, "without one there is no count"
            caps = cap_labels(self.campaign.template.message_class, content.chain)
            full |= {
                "forecast": found.forecast,
                "too_late": gives_up_before(self.campaign, found.forecast.delayed_until),
                "steps": waterfall(found.forecast, caps),
                "outlook": outlook,
                "too_long": gives_up_in_between(self.campaign, outlook, timezone.now()),
                "channels": [
                    {"label": labels.get(name, name), "count": count}
                    for name, count in found.forecast.by_channel.items()
                    if count
                ],
                "content": content,
                "words": describe_audience(self.campaign),
            }
        return render(self.request, self.template_name, full, status=status)


def waterfall(forecast: Any, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the steps from everyone matched to those who get it; offsets are percent of the matched. Reasons
    go by `labels` where they have one."""
    total = forecast.total or 1
    left = forecast.total
    steps = []
    for line in reasons_of(forecast.by_reason):
        left -= line.count
        steps.append(
            {
                "label": labels.get(line.code, line.label),
                "line": line,
                "from": f"{100 * left / total:.2f}",
                "width": f"{100 * line.count / total:.2f}",
            }
        )
    return {
        "rows": steps,
        "closes": left == forecast.sendable,
        "sendable_width": f"{100 * forecast.sendable / total:.2f}",
        "sendable_share": forecast.sendable / total,
    }


class Launch(PreflightNumbers):
    """Launch, or show the numbers again with what is wrong."""

    permission_required = ("campaigns.view_campaign", "campaigns.launch_campaign")
    http_method_names = ("post",)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        typed = request.POST.get("confirmed", "")
        try:
            launch_campaign(campaign_id=self.campaign.pk, user=self.staff, confirmed=_confirmed(typed))
        except Refused as refusal:
            return self.numbers(status=status_of(refusal), launch_error=str(refusal), typed=typed)
        response = HttpResponse()
        response["HX-Redirect"] = address("run", self.campaign)
        return response


def _confirmed(typed: str) -> int | None:
    if not typed.strip():
        return None
    found = read_count(typed)
    return -1 if found is None else found


class Verb(CampaignPage):
    """A button that posts to one service and goes on to a page; a refusal becomes a toast there."""

    permission_required = ("campaigns.view_campaign", "campaigns.launch_campaign")

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        try:
            return HttpResponseRedirect(self.act(request))
        except Refused as refusal:
            messages.error(request, str(refusal))
            return HttpResponseRedirect(address("run" if self.run else "audience", self.campaign))

    def act(self, request: HttpRequest) -> str:
        """Do it and return the address to go on to."""
        return address("run", self.campaign)

    def run_id(self) -> int:
        """Return the run the button is about; Refused if there is none."""
        run: Run | None = self.run
        if run is None:
            raise Refused(_("This campaign was not launched yet."))
        return run.pk


class Pause(Verb):
    """Pause the run."""

    def act(self, request: HttpRequest) -> str:
        reason = request.POST.get("reason", "").replace("\x00", "").strip()
        who = _("Paused by %s") % request.user
        pause_run(run_id=self.run_id(), reason=f"{who}: {reason}" if reason else who)
        return super().act(request)


class Resume(Verb):
    """Go on."""

    def act(self, request: HttpRequest) -> str:
        resume_run(run_id=self.run_id())
        return super().act(request)


class Cancel(Verb):
    """Cancel the rest: GET fills the dialog with the number that is left, POST acts on the typed one."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._dialog()

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        typed = request.POST.get("confirmed", "")
        reason = request.POST.get("reason", "").replace("\x00", "")
        try:
            cancel_run(run_id=self.run_id(), confirmed=self._agreed(typed), reason=reason)
        except Refused as refusal:
            return self._dialog(status=422, error=str(refusal), typed=typed, reason=reason)
        response = HttpResponse()
        response["HX-Redirect"] = address("run", self.campaign)
        return response

    def _agreed(self, typed: str) -> int | None:
        """Return the typed number if it is the one the dialog showed; Refused if it is another."""
        shown = read_count(self.request.POST.get("shown", ""))
        if not typed.strip():
            return None if shown is None or shown > CONFIRM_ABOVE else shown
        if shown is None or read_count(typed) != shown:
            raise Refused(
                _("Type %s, the number shown, to cancel these messages.") % number(shown), field="confirmed"
            )
        return shown

    def _dialog(self, *, status: int = 200, **context: Any) -> HttpResponse:
        run = self.run
        progress = progress_of(run) if run else None
        full = {
            "campaign": self.campaign,
            "run": run,
            "progress": progress,
            "rest": rest_of(run, progress) if run and progress else 0,
            "confirm_above": CONFIRM_ABOVE,
            **context,
        }
        return render(self.request, "campaigns/parts/cancel_dialog.html", full, status=status)


class Copy(Verb):
    """Make a draft like this one."""

    permission_required = ("campaigns.view_campaign", "campaigns.add_campaign")

    def act(self, request: HttpRequest) -> str:
        return address("audience", copy_campaign(campaign_id=self.campaign.pk, owner=self.staff))


class Archive(Verb):
    """Put it away."""

    permission_required = ("campaigns.view_campaign", "campaigns.change_campaign")

    def act(self, request: HttpRequest) -> str:
        archive_campaign(campaign_id=self.campaign.pk)
        return reverse("admin:campaigns_campaign_changelist")
