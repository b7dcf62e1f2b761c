"""The cards of the service dashboard."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Q
from django.db.models.functions import ExtractHour, TruncDate
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _

from feedback.models import Case, Category, Metric

QUEUE_ROWS = 8
SPARK_DAYS = 14
VOLUME_DAYS = 7

_MEDIAN = """
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM stopped_at - started_at))
    FROM feedback_slaclock WHERE metric = %s AND stopped_at >= %s
"""


def _day_start(now: datetime, *, back: int = 0) -> datetime:
    local = timezone.localtime(now) - timedelta(days=back)
    return local.replace(hour=0, minute=0, second=0, microsecond=0)


def _first_reply_median(since: datetime) -> float | None:
    with connection.cursor() as cursor:
        cursor.execute(_MEDIAN, [Metric.FIRST_REPLY, since])
        value = cursor.fetchone()[0]
    return None if value is None else float(value)


def _per_day(rows: Any, field: str, now: datetime) -> list[int]:
    since = _day_start(now, back=SPARK_DAYS - 1)
    found = dict(
        rows.filter(**{f"{field}__gte": since})
        .annotate(day=TruncDate(field))
        .order_by()
        .values_list("day")
        .annotate(n=Count("pk"))
    )
    return [found.get(since.date() + timedelta(days=offset), 0) for offset in range(SPARK_DAYS)]


def numbers_card(request: Any) -> str:
    """Return the strip of numbers: open, due soon, late, first reply, opened and resolved today."""
    now = timezone.now()
    rows = Case.objects.visible_to(request.user)
    counts = rows.count_views(user=request.user, now=now)
    today = _day_start(now)
    opened, resolved = _per_day(rows, "created_at", now), _per_day(rows, "resolved_at", now)
    context = {
        "counts": counts,
        "median": _first_reply_median(today),
        "opened": opened[-1],
        "opened_days": opened,
        "resolved": resolved[-1],
        "resolved_days": resolved,
        "now": now,
    }
    return render_to_string("feedback/cards/numbers.html", context, request)


def queue_card(request: Any) -> str:
    """Return the viewer's most urgent cases, or those to be claimed when they own none."""
    now = timezone.now()
    rows = Case.objects.visible_to(request.user)
    mine = list(rows.in_view("mine", user=request.user, now=now).in_queue_order().for_queue()[:QUEUE_ROWS])
    free = (
        []
        if mine
        else list(
            rows.in_view("unassigned", user=request.user, now=now).in_queue_order().for_queue()[:QUEUE_ROWS]
        )
    )
    return render_to_string("feedback/cards/queue.html", {"cases": mine or free, "mine": bool(mine)}, request)


def volume_card(request: Any) -> str:
    """Return the chart of cases opened this week by category of the first level, open ones apart."""
    since = _day_start(timezone.now(), back=VOLUME_DAYS - 1)
    rows = Case.objects.visible_to(request.user).filter(created_at__gte=since)
    # A case sits on a leaf or on its branch; both count for the branch.
    found = (
        rows.order_by()
        .values_list("category_id")
        .annotate(n=Count("pk"), done=Count("pk", filter=Q(state__in=("resolved", "closed"))))
    )
    tree = {category.pk: category for category in Category.objects.all()}
    totals: dict[int, list[int]] = {pk: [0, 0] for pk, node in tree.items() if node.level == 1}
    for pk, total, done in found:
        top = tree[pk]
        while top.parent_id:
            top = tree[top.parent_id]
        totals[top.pk][0] += done
        totals[top.pk][1] += total - done
    shown = sorted((item for item in totals.items() if sum(item[1])), key=lambda item: -sum(item[1]))
    spec = {
        "type": "bar",
        "title": _("Cases this week by category"),
        "horizontal": True,
        "stacked": True,
        "labels": [str(tree[pk]) for pk, _counts in shown],
        "datasets": [
            {"label": _("Open"), "data": [counts[1] for _pk, counts in shown], "tone": "violet"},
            {"label": _("Resolved"), "data": [counts[0] for _pk, counts in shown], "tone": "grey"},
        ],
        "x_label": _("Number of cases"),
    }
    context = {
        "spec": spec,
        "name": "feedback-volume",
        "any": bool(shown),
        "height": 40 + 30 * max(len(shown), 4),
    }
    return render_to_string("feedback/cards/chart.html", context, request)


def hours_card(request: Any) -> str:
    """Return the chart of cases opened by hour of the viewer's day, today against the week's mean."""
    now = timezone.now()
    since = _day_start(now, back=VOLUME_DAYS)
    today = _day_start(now)
    rows = (
        Case.objects.visible_to(request.user)
        .filter(created_at__gte=since)
        .annotate(hour=ExtractHour("created_at"))
        .order_by()
        .values_list("hour")
        .annotate(
            today=Count("pk", filter=Q(created_at__gte=today)),
            before=Count("pk", filter=Q(created_at__lt=today)),
        )
    )
    found = {hour: (n, before) for hour, n, before in rows}
    spec = {
        "type": "bar",
        "title": _("Cases by hour"),
        "labels": [f"{hour:02d}" for hour in range(24)],
        "datasets": [
            {
                "label": _("Today"),
                "data": [found.get(hour, (0, 0))[0] for hour in range(24)],
                "tone": "violet",
            },
            {
                "label": _("Mean of the last 7 days"),
                "data": [round(found.get(hour, (0, 0))[1] / VOLUME_DAYS, 1) for hour in range(24)],
                "tone": "grey",
                "type": "line",
            },
        ],
        "y_label": _("Number of cases"),
    }
    context = {"spec": spec, "name": "feedback-hours", "any": bool(found), "height": 240}
    return render_to_string("feedback/cards/chart.html", context, request)
