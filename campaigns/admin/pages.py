"""What all pages of one campaign share: permission, object, header, tabs."""

from typing import Any, cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from campaigns.admin.labels import campaign_look
from campaigns.models import Campaign, Run
from campaigns.services.preflight import Problem, find_problems
from notifyhub.core.admin import PageMixin
from notifyhub.core.errors import Conflict, Refused
from notifyhub.staff.models import User

TABS = (
    ("audience", gettext_noop("Audience")),
    ("content", gettext_noop("Content")),
    ("schedule", gettext_noop("Schedule")),
    ("preflight", gettext_noop("Pre-flight")),
)


def address(name: str, campaign: Campaign) -> str:
    """Return the address of one of a campaign's pages."""
    return reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk])


class CampaignPage(PageMixin):
    """A page of one campaign, fetched through the list's own queryset.

    Subclasses name their template; a Refused in `post` is the subclass's to show in place.
    """

    permission_required: Any = "campaigns.view_campaign"
    template_name = ""
    tab = ""

    @cached_property
    def campaign(self) -> Campaign:
        """Return the campaign or raise Http404."""
        queryset = self.model_admin.get_queryset(self.request)
        campaign = queryset.filter(pk=self.kwargs["pk"]).first()
        if campaign is None:
            raise Http404(_("There is no such campaign."))
        return campaign

    @cached_property
    def run(self) -> Run | None:
        """Return the newest run or None."""
        return self.campaign.last_run

    @cached_property
    def problems(self) -> list[Problem]:
        """Return what is missing from a draft."""
        return find_problems(self.campaign) if self.campaign.editable else []

    @property
    def staff(self) -> User:
        """Return the viewer; `dispatch` lets nobody else in."""
        return cast(User, self.request.user)

    @property
    def may_change(self) -> bool:
        """Say whether the viewer may edit campaigns."""
        return self.request.user.has_perm("campaigns.change_campaign")

    @property
    def may_launch(self) -> bool:
        """Say whether the viewer may launch and steer."""
        return self.request.user.has_perm("campaigns.launch_campaign")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        campaign = self.campaign
        blocking = [problem for problem in self.problems if problem.blocking]
        broken = {problem.tab for problem in blocking}
        warned = {problem.tab for problem in self.problems} - broken
        context = {
            "title": campaign.name,
            "crumbs": [
                (_("Campaigns"), reverse("admin:campaigns_campaign_changelist")),
                (campaign.name, ""),
            ],
            "campaign": campaign,
            "run": self.run,
            "look": campaign_look(campaign, self.run),
            "problems": self.problems,
            "blocking": blocking,
            "tab": self.tab,
            "tabs": [
                {
                    "name": name,
                    "label": _(label),
                    "url": address(name, campaign),
                    "state": _tab_state(name, broken, warned, campaign),
                }
                for name, label in TABS
            ],
            "may_change": self.may_change,
            "may_launch": self.may_launch,
            "may_edit": self.may_change and campaign.editable,
            "why_read_only": self._why_read_only(),
        }
        return super().get_context_data(**{**context, **kwargs})

    def _why_read_only(self) -> str:
        if not self.campaign.editable:
            return _("It was launched, so the plan can no longer be changed.")
        if not self.may_change:
            return _("You may look at campaigns but not change them.")
        return ""

    def show(self, *, status: int = 200, **context: Any) -> HttpResponse:
        """Answer with the page."""
        return render(self.request, self.template_name, self.get_context_data(**context), status=status)

    def go(self, name: str, sentence: str = "") -> HttpResponse:
        """Redirect to another page of the campaign, with a toast if there is a sentence."""
        if sentence:
            messages.success(self.request, sentence)
        return HttpResponseRedirect(address(name, self.campaign))


def _tab_state(name: str, broken: set[str], warned: set[str], campaign: Campaign) -> str:
    if not campaign.editable:
        return "done"
    if name == "preflight":
        return "waiting" if broken else "open"
    if name in broken:
        return "missing"
    return "warned" if name in warned else "done"


def status_of(refusal: Refused) -> int:
    """Return 409 for a conflict, 422 for any other refusal; htmx swaps both."""
    return 409 if isinstance(refusal, Conflict) else 422


def read_version(request: HttpRequest) -> int | None:
    """Return the version a form was opened with; None if it is missing or no number."""
    raw = request.POST.get("version", "")
    return int(raw) if raw.isdecimal() and len(raw) < 10 else None
