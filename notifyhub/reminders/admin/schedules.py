"""The dashboard of schedules: the next 24 hours, what is late, what did not go, and what needs a person."""

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifyhub.core.admin import PageMixin
from notifyhub.core.errors import Refused
from notifyhub.core.registry import ticks
from notifyhub.reminders.admin.calendar import month_of
from notifyhub.reminders.models import Reminder, ReminderRule
from notifyhub.reminders.services import dryrun
from notifyhub.reminders.services.reports import find_concerns, next_hours, settled_by_reason, settled_today
from notifyhub.staff.models import NodeBeat, TickLease

LATE = timedelta(minutes=2)
BEAT = timedelta(seconds=60)
# A count that a page waits for; more rules than this are counted by the rules' own pages.
RULES = 40
TICKS = ("plan_reminders", "send_reminders")


def _health() -> dict[str, Any]:
    """Return how beat and our two ticks are: late when they should have run twice since."""
    now = timezone.now()
    beat = NodeBeat.objects.filter(kind="beat").order_by("-at").first()
    leases = {lease.name: lease for lease in TickLease.objects.filter(name__in=TICKS)}
    lines = []
    for name in TICKS:
        tick, lease = ticks.get(name), leases.get(name)
        if tick is None:
            continue
        last = lease.finished_at if lease else None
        slow = last is None or now - last > timedelta(seconds=max(tick.every_seconds * 3, 60))
        lines.append(
            {
                "label": tick.label,
                "last": last,
                "took": lease.took_ms / 1000 if lease else None,
                "did": lease.did if lease else None,
                "error": bool(lease and lease.error),
                "late": slow,
            }
        )
    return {"beat": beat, "beat_late": beat is None or now - beat.at > BEAT, "ticks": lines}


def hours_chart(hours: list[tuple[Any, int]]) -> dict[str, Any]:
    """Return the chart of what is due in the next 24 hours."""
    return {
        "type": "bar",
        "title": _("Reminders due in the next 24 hours, by the hour"),
        "labels": [f"{hour:%H:%M}" for hour, _n in hours],
        "datasets": [{"label": _("Reminders due"), "data": [n for _hour, n in hours], "tone": "violet"}],
        "y_label": _("Reminders due"),
        "x_label": _("Hour"),
    }


class SchedulesPage(PageMixin):
    """The answer first: is it on time, and does anything need me?"""

    permission_required = ("reminders.view_reminder", "reminders.view_reminderrule")
    title = gettext_lazy("Schedules")

    def get(self, request: HttpRequest) -> HttpResponse:
        now = timezone.now()
        hours, today = next_hours(), settled_today()
        overdue = Reminder.objects.filter(
            state=Reminder.State.PLANNED, due_at__lt=now - LATE, rule__state=ReminderRule.State.ACTIVE
        )
        late = list(overdue.select_related("rule", "customer").order_by("due_at")[:11])
        health = _health()
        concerns = find_concerns()
        ended = [
            (Reminder.State(state).label, Reminder.Reason(reason).label if reason else "—", n, state)
            for state, reason, n in settled_by_reason()
        ]
        slow = [line for line in health["ticks"] if line["late"] or line["error"]]
        context = self.get_context_data(
            hours=hours_chart(hours),
            total=sum(n for _hour, n in hours),
            today=today,
            late=late[:10],
            late_count=overdue[:10_001].count() if len(late) > 10 else len(late),
            concerns=concerns,
            ended=ended,
            well=not late and not concerns and not slow and not health["beat_late"],
            slow=bool(slow) or health["beat_late"],
            no_rules=not ReminderRule.objects.exists(),
            may_add=request.user.has_perm("reminders.add_reminderrule"),
            **health,
        )
        return render(request, "reminders/schedules.html", context)


class AllDays(PageMixin):
    """The next 30 days of all active rules together, counted when asked for."""

    permission_required = ("reminders.view_reminder", "reminders.view_reminderrule")

    def get(self, request: HttpRequest) -> HttpResponse:
        rules = ReminderRule.objects.filter(state=ReminderRule.State.ACTIVE, live__isnull=False)
        rows, missing, estimated = [], [], False
        for rule in rules.select_related("live").prefetch_related("live__steps").order_by("name")[:RULES]:
            assert rule.live is not None
            rule.live.rule = rule
            try:
                found = dryrun.forecast_days(rule.live, steps=list(rule.live.steps.all()))
            except Refused:
                missing.append(rule.name)
                continue
            estimated = estimated or (bool(found) and dryrun.is_estimated(rule.live))
            rows += [(day, rule.name, count) for day, _step, count in found]
        context = {**month_of(rows), "estimated": estimated, "missing": missing}
        return render(request, "reminders/calendar.html", context)
