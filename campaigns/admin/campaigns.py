"""The list of campaigns, and the addresses of their pages."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from campaigns.admin.labels import campaign_look, settled
from campaigns.models import Campaign
from campaigns.services.audience import describe_audiences
from notifyhub.core.admin import CappedPaginator
from notifyhub.core.templatetags.nh import chip, when


class RunFilter(admin.SimpleListFilter):
    """Campaigns by what they are doing now."""

    title = _("now")
    parameter_name = "now"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("sending", _("Sending")),
            ("paused", _("Paused")),
            ("scheduled", _("Scheduled")),
            ("ended", _("Ended")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> QuerySet[Campaign]:
        states = {
            "sending": ["running"],
            "paused": ["paused"],
            "scheduled": ["scheduled"],
            "ended": ["finished", "cancelled"],
        }.get(self.value() or "")
        return queryset.filter(runs__state__in=states).distinct() if states else queryset


@admin.register(Campaign)
class CampaignAdmin(ModelAdmin):
    """The list; every page behind it is our own and opens onto a service."""

    list_display = ["title", "status", "whom", "run", "owner_name", "changed"]
    list_display_links = ["title"]
    list_filter = ["state", RunFilter, "audience_kind", "owner_team"]
    list_filter_submit = False
    search_fields = ["name", "key"]
    search_help_text = _("Name or key")
    ordering = ["-updated_at"]
    list_per_page = 25
    show_full_result_count = False
    paginator = CappedPaginator
    actions = None
    list_fullwidth = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        return Campaign.objects.with_last_run()

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        # The page's rows are described together: one query for the names of segments, not one a row.
        changes = super().get_changelist_instance(request)
        words = describe_audiences(list(changes.result_list))
        for campaign in changes.result_list:
            campaign.words = words[campaign.pk]
        return changes

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_launch_permission(self, request: HttpRequest) -> bool:
        """Say whether the viewer may launch, pause and cancel."""
        return bool(request.user.has_perm("campaigns.launch_campaign"))

    @display(description=_("campaign"), ordering="name")
    def title(self, campaign: Campaign) -> SafeString:
        return format_html(
            '{}<br><span class="nh-muted nh-small">{}</span>', campaign.name, campaign.template or "—"
        )

    @display(description=_("state"), ordering="state")
    def status(self, campaign: Campaign) -> SafeString:
        look = campaign_look(campaign, campaign.last_run)
        return chip(look["label"], look["tone"], look["icon"])

    @display(description=_("audience"))
    def whom(self, campaign: Any) -> str:
        return campaign.words

    @display(description=_("run"))
    def run(self, campaign: Campaign) -> str:
        run = campaign.last_run
        context = {"campaign": campaign, "run": run, "done": settled(run.dispatch) if run else 0}
        return render_to_string("campaigns/parts/list_run.html", context)

    @display(description=_("owner"), ordering="owner")
    def owner_name(self, campaign: Campaign) -> str:
        return str(campaign.owner or "—")

    @display(description=_("changed"), ordering="updated_at")
    def changed(self, campaign: Campaign) -> str:
        return when(campaign.updated_at)

    def get_urls(self) -> list[Any]:
        from campaigns.admin import previews, running, tabs, verbs

        def page(route: str, view: Any, name: str) -> Any:
            wrapped = self.admin_site.admin_view(view.as_view(model_admin=self))
            return path(route, wrapped, name=f"campaigns_campaign_{name}")

        own = [
            page("add/", tabs.AddPage, "add"),
            page("<int:pk>/audience/", tabs.AudiencePage, "audience"),
            page("<int:pk>/audience/count/", tabs.AudienceCount, "audience_count"),
            page("<int:pk>/content/", tabs.ContentPage, "content"),
            page("<int:pk>/preview/", previews.PreviewPage, "preview"),
            page("<int:pk>/preview/mail/", previews.MailPage, "mail"),
            page("<int:pk>/schedule/", tabs.SchedulePage, "schedule"),
            page("<int:pk>/details/", tabs.DetailsPage, "details"),
            page("<int:pk>/preflight/", verbs.PreflightPage, "preflight"),
            page("<int:pk>/preflight/numbers/", verbs.PreflightNumbers, "numbers"),
            page("<int:pk>/run/", running.RunPage, "run"),
            page("<int:pk>/run/live/", running.RunLive, "live"),
            page("<int:pk>/run/minutes/", running.RunMinutes, "minutes"),
            page("<int:pk>/recipients/", running.RecipientsPage, "recipients"),
            page("<int:pk>/launch/", verbs.Launch, "launch"),
            page("<int:pk>/pause/", verbs.Pause, "pause"),
            page("<int:pk>/resume/", verbs.Resume, "resume"),
            page("<int:pk>/cancel/", verbs.Cancel, "cancel"),
            page("<int:pk>/copy/", verbs.Copy, "copy"),
            page("<int:pk>/archive/", verbs.Archive, "archive"),
        ]
        return [*own, *super().get_urls()]

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """Go to the page that fits: the plan of a draft, else its run."""
        campaign = self.get_object(request, object_id)
        if campaign is None or not self.has_view_permission(request, campaign):
            return super().change_view(request, object_id, *args, **kwargs)
        name = "run" if campaign.last_run else "audience"
        return HttpResponseRedirect(reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk]))
