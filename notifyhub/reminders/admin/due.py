"""Due reminders: what is next, what was sent, and why one stopped."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from notifyhub.core.admin import LedgerAdmin, PageMixin
from notifyhub.reminders.models import Reminder
from notifyhub.reminders.services.reports import with_outcomes


class ReminderPage(PageMixin):
    """One due row: what it is about, what became of it, what comes after it."""

    permission_required = "reminders.view_reminder"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        reminder = get_object_or_404(Reminder.objects.select_related("rule", "customer", "order"), pk=pk)
        siblings = Reminder.objects.filter(
            rule=reminder.rule, subject_ref=reminder.subject_ref, occurrence=reminder.occurrence
        ).select_related("rule", "customer", "order")
        lines = with_outcomes(list(siblings.order_by("due_at")))
        context = self.get_context_data(
            title=str(reminder.rule),
            crumbs=[
                (_("Due reminders"), reverse("admin:reminders_reminder_changelist")),
                (reminder.subject_ref, ""),
            ],
            reminder=reminder,
            line=next(line for line in lines if line["reminder"].pk == pk),
            lines=lines,
            step=reminder.rule.steps.filter(number=reminder.step).select_related("template").first(),
        )
        return render(request, "reminders/reminder.html", context)


@admin.register(Reminder)
class ReminderAdmin(LedgerAdmin):
    """The list of due rows, next first."""

    list_display = ["due_at", "rule", "step", "customer", "subject_ref", "show_state", "show_reason"]
    list_filter = ["state", "reason", "rule"]
    list_select_related = ["rule", "customer"]
    ordering = ["state", "due_at"]
    search_fields = ["=subject_ref"]
    search_help_text = _("The whole subject, such as order:H2611-4471")

    @display(
        description=_("State"),
        ordering="state",
        label={"planned": "info", "dispatched": "success", "stopped": "default", "skipped": "warning"},
    )
    def show_state(self, reminder: Reminder) -> Any:
        return reminder.state, reminder.get_state_display()

    @display(description=_("Why"))
    def show_reason(self, reminder: Reminder) -> str:
        return str(reminder.get_reason_display()) if reminder.reason else "—"

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(ReminderPage.as_view(model_admin=self))
        return [path("<int:pk>/change/", page, name="reminders_reminder_change"), *super().get_urls()]
