"""The strip of numbers and today's funnel, from the dispatches' counters by day."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.models import Campaign, Run
from campaigns.services.preflight import reason_label
from notifyhub.customers.models import Segment
from notifyhub.messaging.models import TemplateVersion

DAYS = 15  # today, and a fortnight before it

BY_DAY = """
    SELECT (d.started_at AT TIME ZONE %(zone)s)::date AS day, sum(d.planned)::bigint, sum(d.sent)::bigint,
           sum(d.delivered)::bigint, sum(d.failed)::bigint, sum(d.skipped)::bigint
    FROM campaigns_run r JOIN messaging_dispatch d ON d.id = r.dispatch_id
    WHERE d.started_at >= %(since)s GROUP BY 1
"""
EVENTS = """
    SELECT (at AT TIME ZONE %(zone)s)::date AS day, kind, count(*) FROM messaging_deliveryevent
    WHERE kind IN ('unsubscribed', 'complained') AND at >= %(since)s GROUP BY 1, 2
"""
REASONS = """
    SELECT e.key, sum(e.value::bigint)::bigint
    FROM campaigns_run r JOIN messaging_dispatch d ON d.id = r.dispatch_id, jsonb_each_text(d.reasons) e
    WHERE d.started_at >= %(since)s GROUP BY 1 ORDER BY 2 DESC
"""


@dataclass(kw_only=True)
class Day:
    """The campaigns' counters of one day."""

    planned: int = 0
    sent: int = 0
    delivered: int = 0
    failed: int = 0
    skipped: int = 0
    unsubscribed: int = 0
    complained: int = 0

    def share(self, part: str, base: str, per: int = 1) -> float | None:
        """Return part / base, or None without a base."""
        whole = getattr(self, base)
        return per * getattr(self, part) / whole if whole else None


def _since(days: int) -> Any:
    start = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return start - timedelta(days=days)


def read_days() -> list[Day]:
    """Return the last fifteen days, today last; two queries."""
    today = timezone.localdate()
    days: dict[date, Day] = {today - timedelta(days=back): Day() for back in range(DAYS - 1, -1, -1)}
    arguments = {"zone": timezone.get_current_timezone_name(), "since": _since(DAYS - 1)}
    with connection.cursor() as cursor:
        cursor.execute(BY_DAY, arguments)
        for day, planned, sent, delivered, failed, skipped in cursor.fetchall():
            if day in days:
                days[day] = Day(
                    planned=planned, sent=sent, delivered=delivered, failed=failed, skipped=skipped
                )
        cursor.execute(EVENTS, arguments)
        for day, kind, count in cursor.fetchall():
            if day in days:
                setattr(days[day], kind, count)
    return list(days.values())


def _change(now: float | None, before: float | None) -> str:
    if not before or now is None:
        return _("no sending a week ago")
    difference = 100 * (now - before) / before
    return _("%s on the same weekday last week") % f"{difference:+.1f}%".replace("-", "−")


def _points(now: float | None, before: float | None) -> str:
    if now is None or before is None:
        return _("no sending a week ago") if now is not None else _("nothing sent today yet")
    difference = 100 * (now - before)
    return _("%s points on last week") % f"{difference:+.1f}".replace("-", "−")


def render_numbers(request: HttpRequest) -> str:
    """Return the strip; before the first run, the three first steps instead of zeros."""
    if not Run.objects.exists():
        return render_to_string("campaigns/cards/first_steps.html", _first_steps(request), request)
    days = read_days()
    today, week_ago = days[-1], days[-8]
    delivered, skipped = today.share("delivered", "sent"), today.share("skipped", "planned")
    complaints = today.share("complained", "sent", 10_000)
    tiles = [
        {
            "label": _("Handed over today"),
            "number": today.sent,
            "note": _change(today.sent, week_ago.sent),
            "line": [day.sent for day in days],
        },
        {
            "label": _("Delivered, of handed over"),
            "share": delivered,
            "note": _points(delivered, week_ago.share("delivered", "sent")),
            "line": [day.share("delivered", "sent") or 0 for day in days],
        },
        {
            "label": _("Skipped, of planned"),
            "share": skipped,
            "note": _points(skipped, week_ago.share("skipped", "planned")),
            "line": [day.share("skipped", "planned") or 0 for day in days],
        },
        {
            "label": _("Failed today"),
            "number": today.failed,
            "note": _("of %s handed over") % f"{today.sent:,}",
            "tone": "red" if today.failed else "",
            "line": [day.failed for day in days],
        },
        {
            "label": _("Opt-outs today"),
            "number": today.unsubscribed,
            "note": _change(today.unsubscribed, week_ago.unsubscribed),
            "line": [day.unsubscribed for day in days],
        },
        {
            "label": _("Complaints per 10,000"),
            "rate": None if complaints is None else f"{complaints:.1f}",
            "note": _("%d today") % today.complained,
            "tone": "red" if today.complained else "",
            "line": [day.complained for day in days],
        },
    ]
    return render_to_string("campaigns/cards/numbers.html", {"tiles": tiles}, request)


def _first_steps(request: HttpRequest) -> dict[str, Any]:
    return {
        "steps": [
            {
                "done": Segment.objects.exists(),
                "icon": "group",
                "title": _("Choose whom you write to"),
                "text": _("Import customers, and keep a list of those you want."),
                "url_name": "admin:customers_segment_changelist",
                "button": _("Open segments"),
            },
            {
                "done": TemplateVersion.objects.filter(state=TemplateVersion.State.PUBLISHED).exists(),
                "icon": "article",
                "title": _("Write a template"),
                "text": _("One text for each channel and language, then publish it."),
                "url_name": "admin:messaging_template_changelist",
                "button": _("Open templates"),
            },
            {
                "done": Campaign.objects.exists(),
                "icon": "campaign",
                "title": _("Make a campaign"),
                "text": _("The pre-flight shows who gets it before anything is sent."),
                "url_name": "admin:campaigns_campaign_add",
                "button": _("New campaign"),
            },
        ],
        "may_add": request.user.has_perm("campaigns.add_campaign"),
    }


def render_funnel(request: HttpRequest) -> str:
    """Return today's funnel with the share of the step before, and the main reasons for not sending."""
    today = read_days()[-1]
    with connection.cursor() as cursor:
        cursor.execute(REASONS, {"since": _since(0)})
        reasons = [(reason_label(code), count) for code, count in cursor.fetchall() if count]
    steps = [
        (_("Audience"), today.planned, "grey"),
        (_("May be sent"), today.planned - today.skipped, "grey"),
        (_("Handed over"), today.sent, "violet"),
        (_("Delivered"), today.delivered, "violet"),
    ]
    rows = []
    before: int | None = None
    for label, count, tone in steps:
        share = count / before if before else None
        rows.append({"label": label, "count": count, "tone": tone, "share": share})
        before = count
    context = {
        "rows": rows,
        "most": today.planned,
        "not_sent": sum(count for _label, count in reasons),
        "reasons": reasons[:4],
    }
    return render_to_string("campaigns/cards/funnel.html", context, request)
