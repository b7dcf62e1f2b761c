"""What is being sent now, and what needs somebody."""

from datetime import timedelta
from typing import Any

from django.db.models import Count, F, Q, Sum
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.admin.labels import run_look, settled
from campaigns.models import Campaign, Run
from campaigns.services.preflight import past_time
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.models import Dispatch

SHOWN = 8
# Above this share of what was handed over, failing is no longer noise.
FAILED_SHARE = 0.02


def render_running(request: HttpRequest) -> str:
    """Return the running campaigns with progress, rate and end; below, what ended today."""
    runs = list(
        Run.objects.open().select_related("campaign", "dispatch").order_by("dispatch__send_at")[: SHOWN + 1]
    )
    start = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    ended = Run.objects.filter(finished_at__gte=start).aggregate(n=Count("pk"), sent=Sum("dispatch__sent"))
    rows = [_row(run) for run in runs[:SHOWN]]
    context = {
        "rows": rows,
        "more": len(runs) > SHOWN,
        "rate": sum(row["rate"] or 0 for row in rows),
        "ended": ended,
        "may_add": request.user.has_perm("campaigns.add_campaign"),
    }
    return render_to_string("campaigns/cards/running.html", context, request)


def _row(run: Run) -> dict[str, Any]:
    dispatch = run.dispatch
    done = settled(dispatch)
    running = dispatch.state == Dispatch.State.RUNNING
    rate = dispatch.rate if running else None
    left = dispatch.planned - done
    labels = dict(Channel.choices)
    return {
        "run": run,
        "look": run_look(run),
        "url": reverse("admin:campaigns_campaign_run", args=[run.campaign_id]),
        "channels": " → ".join(str(labels.get(step["channel"], step["channel"])) for step in dispatch.chain),
        "done": done,
        "total": dispatch.planned or run.expected,
        "tone": {"paused": "orange", "cancelling": "orange"}.get(dispatch.state, "violet"),
        "rate": rate,
        "ends": timezone.now() + timedelta(seconds=left / rate) if rate and left > 0 else None,
    }


def render_action(request: HttpRequest) -> str:
    """Return what needs somebody, the worst first, each with one link."""
    recent = timezone.now() - timedelta(days=3)
    runs = (
        Run.objects.filter(launched_at__gte=recent)
        .filter(
            Q(dispatch__state=Dispatch.State.PAUSED)
            | Q(dispatch__unknown__gt=0)
            | Q(dispatch__failed__gt=F("dispatch__sent") * FAILED_SHARE)
        )
        .select_related("campaign", "dispatch")
        .order_by("-launched_at")[:20]
    )
    late = Campaign.objects.filter(state=Campaign.State.DRAFT, send_at__lt=timezone.now()).order_by("send_at")
    entries = [entry for run in runs for entry in _entries(run)]
    entries += [
        {
            "rank": 3,
            "tone": "orange",
            "icon": "event_busy",
            "title": _("“%s” was not launched in time") % draft.name,
            "text": past_time(),
            "url": reverse("admin:campaigns_campaign_schedule", args=[draft.pk]),
            "link": _("Set a time"),
        }
        for draft in late[:5]
    ]
    entries.sort(key=lambda entry: entry["rank"])
    return render_to_string("campaigns/cards/action.html", {"entries": entries[:SHOWN]}, request)


def _entries(run: Run) -> list[dict[str, Any]]:
    name, dispatch = run.campaign.name, run.dispatch
    page = reverse("admin:campaigns_campaign_run", args=[run.campaign_id])
    people = reverse("admin:campaigns_campaign_recipients", args=[run.campaign_id])
    found = []
    if dispatch.state == Dispatch.State.PAUSED:
        found.append(
            {
                "rank": 0,
                "tone": "red",
                "icon": "pause_circle",
                "title": _("“%s” is paused") % name,
                "text": dispatch.pause_reason or "—",
                "url": page,
                "link": _("Resume or cancel"),
            }
        )
    if dispatch.failed > dispatch.sent * FAILED_SHARE:
        found.append(
            {
                "rank": 1,
                "tone": "red",
                "icon": "error",
                "title": _("Many messages of “%s” failed") % name,
                "text": _("%(failed)s failed, %(sent)s handed over.")
                % {"failed": f"{dispatch.failed:,}", "sent": f"{dispatch.sent:,}"},
                "url": f"{people}?state=failed",
                "link": _("See which"),
            }
        )
    if dispatch.unknown:
        found.append(
            {
                "rank": 2,
                "tone": "orange",
                "icon": "help",
                "title": _("Some messages of “%s” have no known result") % name,
                "text": _("%s are unknown. They are not sent again by themselves.") % f"{dispatch.unknown:,}",
                "url": f"{people}?state=unknown",
                "link": _("See which"),
            }
        )
    return found
