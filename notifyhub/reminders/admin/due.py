"""Due reminders: what is next, what was sent, and why one stopped."""

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib import admin
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from notifyhub.core.admin import LedgerAdmin, PageMixin
from notifyhub.core.templatetags.nh import when
from notifyhub.messaging.models import Delivery
from notifyhub.reminders.models import Reminder
from notifyhub.reminders.services.reports import with_outcomes

State = Reminder.State
SHOWS = {
    "next": (State.PLANNED, _("Next")),
    "sent": (State.DISPATCHED, _("Handed to sending")),
    "stopped": (State.STOPPED, _("Stopped")),
    "skipped": (State.SKIPPED, _("Skipped")),
}
SIBLINGS = 50


def shown_by(request: HttpRequest) -> str:
    """Return which part of the list is asked for; what comes next unless told otherwise."""
    asked = request.GET.get("show", "")
    return asked if asked in SHOWS else "next"


def on_their_clock(reminder: Reminder) -> str:
    """Return when it is due on the customer's own clock, with the zone."""
    try:
        zone = ZoneInfo(reminder.customer.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        return "—"
    return f"{reminder.due_at.astimezone(zone):%Y-%m-%d %H:%M} · {zone.key}"


class ReminderPage(PageMixin):
    """One due row: what it is about, what became of it, what comes after it."""

    permission_required = "reminders.view_reminder"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        reminder = get_object_or_404(Reminder.objects.select_related("rule", "customer", "order"), pk=pk)
        siblings = (
            Reminder.objects.filter(rule=reminder.rule, subject_ref=reminder.subject_ref)
            .select_related("rule", "customer", "order")
            .order_by("-due_at")[:SIBLINGS]
        )
        lines = with_outcomes([*(row for row in siblings if row.pk != pk), reminder])
        lines.sort(key=lambda line: line["reminder"].due_at)
        steps = {step.number: step for step in reminder.rule.steps.select_related("template")}
        for line in lines:
            line["step"] = steps.get(line["reminder"].step)
        after = [line for line in lines if line["reminder"].state == State.PLANNED]
        context = self.get_context_data(
            title=str(reminder.rule),
            crumbs=[
                (_("Due reminders"), reverse("admin:reminders_reminder_changelist")),
                (reminder.subject, ""),
            ],
            reminder=reminder,
            local_due=on_their_clock(reminder),
            line=next(line for line in lines if line["reminder"].pk == pk),
            lines=lines,
            after=next((line for line in after if line["reminder"].pk != pk), None),
            step=steps.get(reminder.step),
        )
        return render(request, "reminders/reminder.html", context)


class ShowFilter(admin.SimpleListFilter):
    """The tabs above the list."""

    title = _("state")
    parameter_name = "show"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(name, label) for name, (_state, label) in SHOWS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state=SHOWS[shown_by(request)][0])


@admin.register(Reminder)
class ReminderAdmin(LedgerAdmin):
    """The list of due rows, next first."""

    list_display = ["show_due", "show_customer", "show_subject", "rule", "show_step", "show_outcome"]
    list_filter = [ShowFilter, "reason", "rule"]
    list_select_related = ["rule", "customer"]
    list_before_template = "reminders/tabs.html"
    search_fields = ["subject_ref"]
    search_help_text = _("Order number or customer number")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows with what became of their messages, each a look-up by the ledger's unique key."""
        message = Delivery.objects.filter(dispatch_id=OuterRef("dispatch_id"), dedup_key=OuterRef("pk"))
        latest = message.order_by("-step", "-id")
        return (
            super()
            .get_queryset(request)
            .prefetch_related("rule__steps")
            .annotate(
                message_state=Subquery(latest.values("state")[:1]),
                message_reason=Subquery(latest.values("reason")[:1]),
            )
        )

    def get_ordering(self, request: HttpRequest) -> list[str]:
        return ["due_at", "id"] if shown_by(request) == "next" else ["-due_at", "-id"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find by the whole order number or customer number: each has its index."""
        term = search_term.strip().replace("\x00", "")
        if term:
            queryset = queryset.filter(
                Q(subject_ref__in=[term, f"order:{term}"]) | Q(customer__external_id=term)
            )
        return queryset, False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        kept = request.GET.copy()
        for name in ("show", "p", "o"):
            kept.pop(name, None)
        tabs = []
        for name, (_state, label) in SHOWS.items():
            kept["show"] = name
            tabs.append({"label": label, "url": f"?{kept.urlencode()}", "on": name == shown_by(request)})
        return super().changelist_view(request, {**(extra_context or {}), "tabs": tabs})

    @display(description=_("Due at"), ordering="due_at")
    def show_due(self, reminder: Reminder) -> str:
        return when(reminder.due_at)

    @display(description=_("Customer"))
    def show_customer(self, reminder: Reminder) -> str:
        return str(reminder.customer)

    @display(description=_("About"), ordering="subject_ref")
    def show_subject(self, reminder: Reminder) -> str:
        return reminder.subject

    @display(description=_("Step"), ordering="step")
    def show_step(self, reminder: Reminder) -> str:
        steps = {step.number: str(step) for step in reminder.rule.steps.all()}
        return steps.get(reminder.step, "—")

    @display(
        description=_("State"),
        label={
            "planned": "info",
            "sent": "info",
            "delivered": "success",
            "failed": "danger",
            "skipped": "warning",
        },
    )
    def show_outcome(self, reminder: Any) -> Any:
        if reminder.message_state is None:
            words = reminder.get_state_display()
            return reminder.state, f"{words} · {reminder.get_reason_display()}" if reminder.reason else words
        state, reason = Delivery.State(reminder.message_state), reminder.message_reason
        name = state.name.lower()
        return (
            {"bounced": "failed", "unknown": "skipped", "expired": "skipped"}.get(name, name),
            f"{state.label} · {Delivery.Reason(reason).label}" if reason else state.label,
        )

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(ReminderPage.as_view(model_admin=self))
        return [path("<int:pk>/change/", page, name="reminders_reminder_change"), *super().get_urls()]
