"""The plan of a campaign: one tab, one form, one version."""

from abc import ABC, abstractmethod
from typing import Any, cast

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from campaigns.admin.choices import audience_choices, channel_rows, template_choices
from campaigns.admin.forms import EXPIRY, ScheduleForm
from campaigns.admin.pages import CampaignPage, address, read_version, status_of
from campaigns.admin.steps import UNITS, UNTILS, read_steps, steps_as_form, typed_steps
from campaigns.models import Campaign
from campaigns.services.audience import (
    build_rule,
    count_audience,
    describe_audience,
    sample_audience,
    values_of,
)
from campaigns.services.plans import create_campaign, update_campaign
from campaigns.services.preflight import content_of
from notifyhub.core.admin import PageMixin
from notifyhub.core.errors import Conflict, Refused
from notifyhub.customers.models.consent import Channel
from notifyhub.staff.models import User


class AddPage(PageMixin):
    """Name a campaign and go on to its audience."""

    permission_required = "campaigns.add_campaign"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._show(200, name="", error="")

    def post(self, request: HttpRequest) -> HttpResponse:
        name = request.POST.get("name", "")
        try:
            campaign = create_campaign(
                name=name,
                owner=cast(User, request.user),
                note=request.POST.get("note", "").replace("\x00", ""),
            )
        except Refused as refusal:
            return self._show(status_of(refusal), name=name, error=str(refusal))
        return HttpResponseRedirect(address("audience", campaign))

    def _show(self, status: int, **context: Any) -> HttpResponse:
        crumbs = [(_("Campaigns"), reverse("admin:campaigns_campaign_changelist")), (_("New campaign"), "")]
        full = self.get_context_data(
            title=_("New campaign"), crumbs=crumbs, note=self.request.POST.get("note", ""), **context
        )
        return render(self.request, "campaigns/add.html", full, status=status)


class TabPage(CampaignPage, ABC):
    """A tab with a form: GET shows what is saved, POST saves or shows the typed text with what is wrong."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self.show(form=self.stored(), errors={})

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.may_change:
            return self.handle_no_permission()
        typed = self.typed()
        try:
            update_campaign(
                campaign_id=self.campaign.pk, version=read_version(request), changes=self.changes(typed)
            )
        except Refused as refusal:
            return self._again(typed, refusal)
        return self.go(self.tab, _("Saved"))

    def _again(self, typed: dict[str, Any], refusal: Refused) -> HttpResponse:
        conflict = isinstance(refusal, Conflict)
        return self.show(
            status=status_of(refusal),
            form=typed,
            errors={refusal.field or "form": str(refusal)},
            conflict=self.stored_words() if conflict else "",
        )

    @abstractmethod
    def stored(self) -> dict[str, Any]:
        """Return the form's values as saved."""

    @abstractmethod
    def typed(self) -> dict[str, Any]:
        """Return the form's values as posted."""

    @abstractmethod
    def changes(self, typed: dict[str, Any]) -> dict[str, Any]:
        """Return what the service is told."""

    @abstractmethod
    def stored_words(self) -> str:
        """Return what is saved now in a sentence, to compare with the typed text."""


class AudiencePage(TabPage):
    """Whom."""

    template_name = "campaigns/audience.html"
    tab = "audience"

    def stored(self) -> dict[str, Any]:
        return {"kind": self.campaign.audience_kind, "values": [str(v) for v in values_of(self.campaign)]}

    def typed(self) -> dict[str, Any]:
        return read_audience(self.request)

    def changes(self, typed: dict[str, Any]) -> dict[str, Any]:
        return {"audience": typed}

    def stored_words(self) -> str:
        return describe_audience(self.campaign)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = kwargs["form"]
        return super().get_context_data(
            words=describe_audience(self.campaign), choices=audience_choices(form), **kwargs
        )


def read_audience(request: HttpRequest) -> dict[str, Any]:
    """Return the posted choice: its kind and the values that belong to it."""
    kind = request.POST.get("kind", "")
    return {"kind": kind, "values": request.POST.getlist(f"{kind}_values")[:500]}


class AudienceCount(CampaignPage):
    """How many the typed audience holds, and ten of them; a POST for the form it carries, writing nothing."""

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        typed = read_audience(request)
        context: dict[str, Any] = {"campaign": self.campaign}
        try:
            rule = build_rule(kind=typed["kind"], values=typed["values"])
            reach = count_audience(rule)
            labels = dict(Channel.choices)
            context |= {
                "reach": reach,
                "channels": [
                    {"label": labels[name], "count": count}
                    for name, count in reach.by_channel.items()
                    if count
                ],
                "sample": sample_audience(rule),
                "may_open": request.user.has_perm("customers.view_customer"),
                "words": describe_audience(Campaign(pk=0, audience_kind=typed["kind"], audience=rule)),
            }
        except Refused as refusal:
            context["refusal"] = str(refusal)
            context["slow"] = refusal.code == "slow"
        return render(request, "campaigns/parts/audience_count.html", context)


class ContentPage(TabPage):
    """What, and by which channels."""

    template_name = "campaigns/content.html"
    tab = "content"

    def stored(self) -> dict[str, Any]:
        return {
            "template": self.campaign.template_id,
            "chain": steps_as_form(content_of(self.campaign).steps),
        }

    def typed(self) -> dict[str, Any]:
        raw = self.request.POST.get("template", "")
        template = int(raw) if raw.isdecimal() and len(raw) < 19 else None
        return {"template": template, "chain": typed_steps(self.request.POST)}

    def changes(self, typed: dict[str, Any]) -> dict[str, Any]:
        # Another template has other channels, so the order starts anew with it.
        same = typed["template"] == self.campaign.template_id
        if same and self.request.POST.get("channels_shown") and not typed["chain"]:
            raise Refused(_("Choose at least one channel."), field="chain")
        return {"template": typed["template"], "chain": read_steps(typed["chain"]) if same else []}

    def stored_words(self) -> str:
        words = content_of(self.campaign).words
        said = " ".join(f"{step.number}. {step.label}: {step.sentence}" for step in words)
        return f"{self.campaign.template or _('No template')}. {said}"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        content = content_of(self.campaign)
        return super().get_context_data(
            templates=template_choices(chosen=kwargs["form"]["template"]),
            content=content,
            rows=channel_rows(content.written, kwargs["form"]["chain"]),
            units=[(name, label) for name, _seconds, label in UNITS],
            untils=UNTILS,
            **kwargs,
        )


class SchedulePage(TabPage):
    """When."""

    template_name = "campaigns/schedule.html"
    tab = "schedule"

    def stored(self) -> dict[str, Any]:
        return ScheduleForm.stored(self.campaign)

    def typed(self) -> dict[str, Any]:
        return {name: self.request.POST.get(name, "") for name in ScheduleForm.FIELDS}

    def changes(self, typed: dict[str, Any]) -> dict[str, Any]:
        return {"schedule": ScheduleForm.read(typed), "rate": ScheduleForm.read_rate(typed)}

    def stored_words(self) -> str:
        when = str(self.campaign.send_at or self.campaign.get_schedule_display())
        rate = self.campaign.rate_per_second
        return f"{when}; {_('%s messages a second') % f'{rate:,}' if rate else _('no limit of its own')}"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(expiries=[(str(hours), label) for hours, label in EXPIRY], **kwargs)


class DetailsPage(TabPage):
    """Name and note."""

    template_name = "campaigns/details.html"
    tab = "details"

    def stored(self) -> dict[str, Any]:
        return {"name": self.campaign.name, "note": self.campaign.note}

    def typed(self) -> dict[str, Any]:
        return {name: self.request.POST.get(name, "") for name in ("name", "note")}

    def changes(self, typed: dict[str, Any]) -> dict[str, Any]:
        return typed

    def stored_words(self) -> str:
        return self.campaign.name
