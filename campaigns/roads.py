"""What the rest of the house sees of campaigns: names for origins, the sidebar, search, the calendar."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from campaigns.admin.labels import run_look
from campaigns.models import Campaign, Run
from campaigns.services.runs import mirror_runs
from notifyhub.core import registry
from notifyhub.core.registry import NavItem, Origin, PlannedSend, SearchHit, Tick

HITS = 5


def _page(pk: int) -> str:
    return reverse("admin:campaigns_campaign_change", args=[pk])


def resolve_campaigns(keys: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return {key: (name, address)} of the campaigns that exist; one query."""
    rows = Campaign.objects.filter(key__in=list(keys)).values_list("key", "name", "pk")
    return {key: (name, _page(pk)) for key, name, pk in rows}


def count_running(request: Any) -> int | None:
    """Return how many runs are sending now, for the badge; None for none."""
    return Run.objects.filter(state=Run.State.RUNNING).count() or None


def find_campaigns(request: Any, term: str) -> Sequence[SearchHit]:
    """Return campaigns whose name holds the term, or whose key begins with it, the newest first."""
    if not request.user.has_perm("campaigns.view_campaign"):
        return []
    rows = Campaign.objects.filter(name__icontains=term) | Campaign.objects.filter(key__startswith=term)
    return [
        SearchHit(
            title=campaign.name,
            description=campaign.get_state_display(),
            url=_page(campaign.pk),
            icon="campaign",
        )
        for campaign in rows.order_by("-id")[:HITS]
    ]


def planned_sends(start: datetime, end: datetime) -> Sequence[PlannedSend]:
    """Return what campaigns send between the two times: runs, and drafts that have their time already."""
    runs = (
        Run.objects.filter(dispatch__send_at__gte=start, dispatch__send_at__lt=end)
        .exclude(state=Run.State.CANCELLED)
        .select_related("campaign", "dispatch")
        .order_by("dispatch__send_at")[:200]
    )
    found = [
        PlannedSend(
            at=run.dispatch.send_at,
            title=run.campaign.name,
            url=_page(run.campaign_id),
            tone=run_look(run)["tone"],
            label=run_look(run)["label"],
            people=run.expected,
        )
        for run in runs
    ]
    drafts = Campaign.objects.filter(
        state=Campaign.State.DRAFT, send_at__gte=start, send_at__lt=end
    ).order_by("send_at")[:200]
    found += [
        PlannedSend(at=draft.send_at, title=draft.name, url=_page(draft.pk), tone="orange", label=_("Draft"))
        for draft in drafts
        if draft.send_at
    ]
    return sorted(found, key=lambda send: send.at)


def register() -> None:
    """Hand everything to the registries."""
    registry.origins.register(
        "campaign",
        Origin(label=_("Campaign"), resolve=resolve_campaigns, permission="campaigns.view_campaign"),
    )
    registry.search.register("campaigns", find_campaigns, order=40)
    registry.planned_sends.register("campaigns", planned_sends)
    registry.ticks.register(
        "campaign_runs", Tick(run=mirror_runs, every_seconds=5, label=_("Follow the running campaigns"))
    )
    registry.navigation.register(
        "campaigns",
        NavItem(
            section="marketing",
            title=_("Campaigns"),
            icon="campaign",
            url_name="admin:campaigns_campaign_changelist",
            permission="campaigns.view_campaign",
            badge=count_running,
        ),
        order=20,
    )
