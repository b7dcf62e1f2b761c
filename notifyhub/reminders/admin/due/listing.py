"""The list of due rows, next first, with tabs by what became of them."""

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from notifyhub.core.admin import LedgerAdmin
from notifyhub.core.templatetags.nh import when
from notifyhub.customers.models import Customer
from notifyhub.messaging.models import Delivery
from notifyhub.reminders.admin.due.page import ReminderPage
from notifyhub.reminders.models import Reminder

State = Reminder.State
SHOWS = {
    "next": (State.PLANNED, _("Coming up")),
    "sent": (State.DISPATCHED, _("Handed to sending")),
    "stopped": (State.STOPPED, _("Stopped")),
    "skipped": (State.SKIPPED, _("Skipped")),
}


def _clean(term: str) -> str:
    """Return what is searched for, without what no number contains and the database refuses."""
    return term.replace("\x00", "").strip()


def shown_by(request: HttpRequest) -> str:
    """Return which part of the list is asked for; what comes next unless told otherwise. Whoever searches
    looks for one customer or order and wants to know what became of it: all of it, "".
    """
    asked = request.GET.get("show", "")
    if asked in SHOWS:
        return asked
    return "" if _clean(request.GET.get("q", "")) else "next"


class ShowFilter(admin.SimpleListFilter):
    """The tabs above the list."""

    title = _("state")
    parameter_name = "show"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(name, label) for name, (_state, label) in SHOWS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        shown = shown_by(request)
        return queryset.filter(state=SHOWS[shown][0]) if shown else queryset


@admin.register(Reminder)
class ReminderAdmin(LedgerAdmin):
    """The list of due rows, next first."""

    list_display = ["show_due", "show_customer", "show_subject", "rule", "show_step", "show_outcome"]
    list_filter = [ShowFilter, "reason", "rule"]
    list_select_related = ["rule", "customer", "occasion"]
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
            .prefetch_related("occasion__rule_version__steps")
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
        term = _clean(search_term)
        if term:
            customers = list(Customer.objects.filter(external_id=term).values_list("pk", flat=True))
            wanted = Q(subject_ref__in=[term, f"order:{term}"]) | Q(customer_id__in=customers)
            queryset = queryset.filter(wanted)
        return queryset, False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        kept = request.GET.copy()
        for name in ("show", "p", "o"):
            kept.pop(name, None)
        tabs = []
        if _clean(kept.get("q", "")):
            everything = f"?{kept.urlencode()}"
            tabs.append({"label": _("All"), "url": everything, "on": not shown_by(request)})
        for name, (_state, label) in SHOWS.items():
            kept["show"] = name
            tabs.append({"label": label, "url": f"?{kept.urlencode()}", "on": name == shown_by(request)})
        return super().changelist_view(request, {**(extra_context or {}), "tabs": tabs})

    @display(description=_("Due at"), ordering="due_at")
    def show_due(self, reminder: Reminder) -> str:
        moved = reminder.wanted_at is not None and reminder.wanted_at != reminder.due_at
        return _("%s, moved") % when(reminder.due_at) if moved else when(reminder.due_at)

    @display(description=_("Customer"))
    def show_customer(self, reminder: Reminder) -> str:
        return str(reminder.customer)

    @display(description=_("About"), ordering="subject_ref")
    def show_subject(self, reminder: Reminder) -> str:
        return reminder.subject

    @display(description=_("Step"), ordering="step")
    def show_step(self, reminder: Reminder) -> str:
        steps = {step.number: str(step) for step in reminder.occasion.rule_version.steps.all()}
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
