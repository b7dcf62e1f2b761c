"""The list of rules, with the ready-made examples above it."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Count, IntegerField, Min, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from notifyhub.core.admin import ServiceAdmin, SwitchPage
from notifyhub.core.templatetags.nh import number, when
from notifyhub.customers.words import attribute_words, event_words
from notifyhub.reminders.admin.gallery import Gallery, MakeExample
from notifyhub.reminders.admin.rules.live import CalendarPart, TextPart, TryPart, WordsPart
from notifyhub.reminders.admin.rules.page import RulePage
from notifyhub.reminders.admin.rules.report import ReportExport, ReportPage
from notifyhub.reminders.admin.rules.versions import VersionsPage
from notifyhub.reminders.admin.schedules import AllDays, SchedulesPage
from notifyhub.reminders.models import Reminder, ReminderRule
from notifyhub.reminders.services import rules

SWITCHES = {
    "activate": (rules.activate_rule, _("The rule is active. What is due appears within a minute.")),
    "pause": (rules.pause_rule, _("Paused. Nothing more goes out by this rule.")),
    "archive": (rules.archive_rule, _("Archived.")),
}


class SwitchRule(SwitchPage):
    """Activate, pause or archive by POST."""

    permission_required = "reminders.change_reminderrule"
    model = ReminderRule
    switches = SWITCHES


def _count(rows: Any) -> Any:
    """Return the number of the rule's `rows` as a subquery."""
    counted = rows.filter(rule=OuterRef("pk")).order_by().values("rule").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


@admin.register(ReminderRule)
class ReminderRuleAdmin(ServiceAdmin):
    """The list of rules."""

    list_display = [
        "name",
        "show_state",
        "show_start",
        "show_next",
        "show_planned",
        "show_sent",
        "owner_team",
    ]
    list_filter = ["state", "live__start"]
    search_fields = ["name", "key"]
    list_select_related = ["owner_team", "live"]
    list_before_template = "reminders/list_top.html"
    change_list_template = "reminders/rules.html"

    def get_queryset(self, request: HttpRequest) -> Any:
        planned = Reminder.objects.filter(state=Reminder.State.PLANNED)
        week = Reminder.objects.filter(
            state=Reminder.State.DISPATCHED, due_at__gte=timezone.now() - timedelta(days=7)
        )
        following = planned.filter(rule=OuterRef("pk")).order_by().values("rule").annotate(at=Min("due_at"))
        return (
            super()
            .get_queryset(request)
            .annotate(planned=_count(planned), sent=_count(week), following=Subquery(following.values("at")))
        )

    @display(
        description=_("State"),
        ordering="state",
        label={"draft": "info", "active": "success", "paused": "warning"},
    )
    def show_state(self, rule: ReminderRule) -> Any:
        return rule.state, rule.get_state_display()

    @display(description=_("Starts from"), ordering="live__start")
    def show_start(self, rule: ReminderRule) -> Any:
        live = rule.live
        if live is None:
            return "—"
        if live.start == live.Start.ORDER:
            return str(dict(live.OrderDate.choices).get(live.date_field, live.date_field))
        name = live.event_name or live.date_field
        words = event_words(name) if live.event_name else attribute_words(name)
        # The platform's own name is on hover, for whoever compares with what it sends.
        return format_html('<span title="{}">{}</span>', name, words)

    @display(description=_("Next one"), ordering="following")
    def show_next(self, rule: Any) -> str:
        return when(rule.following)

    @display(description=_("Planned, 7 days"), ordering="planned")
    def show_planned(self, rule: Any) -> str:
        return number(rule.planned)

    @display(description=_("Sent, last 7 days"), ordering="sent")
    def show_sent(self, rule: Any) -> str:
        return number(rule.sent)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        empty = not ReminderRule.objects.exists()
        may_add = self.has_add_permission(request)
        return super().changelist_view(
            request, {**(extra_context or {}), "no_rules": empty, "may_add": may_add}
        )

    def get_urls(self) -> list[Any]:
        def page(view: Any) -> Any:
            return self.admin_site.admin_view(view.as_view(model_admin=self))

        base = "reminders_reminderrule"
        parts = {"words": WordsPart, "days": CalendarPart, "try": TryPart, "text": TextPart}
        urls = [
            path("add/", page(RulePage), name=f"{base}_add"),
            path("examples/", page(Gallery), name=f"{base}_examples"),
            path("examples/<slug:key>/", page(MakeExample), name=f"{base}_example"),
            path("schedules/", page(SchedulesPage), name=f"{base}_schedules"),
            path("schedules/days/", page(AllDays), name=f"{base}_all_days"),
            path("<int:pk>/change/", page(RulePage), name=f"{base}_change"),
            path("<int:pk>/versions/", page(VersionsPage), name=f"{base}_versions"),
            path("<int:pk>/report/", page(ReportPage), name=f"{base}_report"),
            path("<int:pk>/report.csv", page(ReportExport), name=f"{base}_report_export"),
            path("<int:pk>/switch/<str:verb>/", page(SwitchRule), name=f"{base}_switch"),
        ]
        for name, view in parts.items():
            urls.append(path(f"add/{name}/", page(view), name=f"{base}_{name}_new"))
            urls.append(path(f"<int:pk>/{name}/", page(view), name=f"{base}_{name}"))
        return [*urls, *super().get_urls()]
