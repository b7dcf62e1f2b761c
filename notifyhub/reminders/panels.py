"""Reminders on other apps' pages: what a customer will get, planned sends, the sidebar, the origin."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Count, Min
from django.db.models.functions import TruncDay
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifyhub.core import registry
from notifyhub.core.registry import DashboardCard, NavItem, Origin, Panel, PersonalData
from notifyhub.reminders.models import Occasion, Reminder, ReminderRule
from notifyhub.reminders.services.reports import next_hours, settled_today
from notifyhub.reminders.services.sending import ORIGIN


def coming_panel(request: Any, customer: Any) -> str:
    """Return the next reminders of one customer; one that is held out gets none."""
    rows = (
        Reminder.objects.filter(
            customer_id=customer.pk, state=Reminder.State.PLANNED, occasion__held_out=False
        )
        .select_related("rule")
        .order_by("due_at")[:6]
    )
    return render_to_string("reminders/coming.html", {"rows": rows, "number": customer.external_id}, request)


def resolve_rules(ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return title and page of each rule by its id as text."""
    numbers = [int(pk) for pk in ids if pk.isdigit()]
    return {
        str(pk): (name, reverse("admin:reminders_reminderrule_change", args=[pk]))
        for pk, name in ReminderRule.objects.filter(pk__in=numbers).values_list("pk", "name")
    }


def planned(start: datetime, end: datetime) -> list[Any]:
    """Return (time, title, count, url) of what is planned between the two times, by rule and day."""
    rows = (
        Reminder.objects.filter(
            state=Reminder.State.PLANNED, due_at__gte=start, due_at__lt=end, occasion__held_out=False
        )
        .annotate(day=TruncDay("due_at"))
        .values("rule_id", "rule__name", "day")
        .annotate(n=Count("id"), first=Min("due_at"))
        .order_by("first")
    )
    return [
        (
            row["first"],
            row["rule__name"],
            row["n"],
            reverse("admin:reminders_reminderrule_change", args=[row["rule_id"]]),
        )
        for row in rows
    ]


def reminders_card(request: Any) -> str:
    """Return the next 24 hours by the hour, and what became of today's reminders."""
    listing = reverse("admin:reminders_reminder_changelist")
    hours, today = next_hours(), settled_today()
    total = sum(n for _hour, n in hours)
    chart = {
        "type": "bar",
        "title": gettext("Reminders due in the next 24 hours, by the hour"),
        "labels": [f"{hour:%H:%M}" for hour, _n in hours],
        "datasets": [
            {"label": gettext("Reminders due"), "data": [n for _hour, n in hours], "tone": "violet"}
        ],
        "y_label": gettext("Reminders due"),
        "x_label": gettext("Hour"),
    }
    kpis = [
        {"label": gettext("Sent today"), "value": today["dispatched"], "url": f"{listing}?show=sent"},
        {"label": gettext("Stopped today"), "value": today["stopped"], "url": f"{listing}?show=stopped"},
        {"label": gettext("Skipped today"), "value": today["skipped"], "url": f"{listing}?show=skipped"},
    ]
    return render_to_string("reminders/card.html", {"kpis": kpis, "chart": chart, "total": total}, request)


def export_reminders(customer_id: int) -> list[dict[str, Any]]:
    """Return what reminders know of a customer."""
    rows = Reminder.objects.filter(customer_id=customer_id).values(
        "subject_ref", "due_at", "state", "reason", "detail"
    )
    return [{**row, "due_at": row["due_at"].isoformat()} for row in rows]


def erase_reminders(customer_id: int) -> int:
    """Delete the due rows of a customer; return how many."""
    return Reminder.objects.filter(customer_id=customer_id).delete()[0]


def export_occasions(customer_id: int) -> list[dict[str, Any]]:
    """Return what a customer is and was reminded of, with the facts it began with."""
    rows = Occasion.objects.filter(customer_id=customer_id).values(
        "subject_ref", "anchor_at", "facts", "held_out", "state", "reason", "detail", "started_at", "done_at"
    )
    return [
        {
            **row,
            "anchor_at": row["anchor_at"].isoformat(),
            "started_at": row["started_at"].isoformat(),
            "done_at": row["done_at"] and row["done_at"].isoformat(),
        }
        for row in rows
    ]


def erase_occasions(customer_id: int) -> int:
    """Delete what a customer was reminded of, due rows and all; return how many."""
    return Occasion.objects.filter(customer_id=customer_id).delete()[0]


def register() -> None:
    """Open the roads to the registries."""
    registry.navigation.register(
        "schedules",
        NavItem(
            section="schedules",
            title=_("Dashboard"),
            icon="dashboard",
            url_name="admin:reminders_reminderrule_schedules",
            permission="reminders.view_reminder",
        ),
        order=5,
    )
    registry.navigation.register(
        "reminder_rules",
        NavItem(
            section="schedules",
            title=_("Reminder rules"),
            icon="alarm",
            url_name="admin:reminders_reminderrule_changelist",
            permission="reminders.view_reminderrule",
        ),
        order=10,
    )
    registry.navigation.register(
        "reminders",
        NavItem(
            section="schedules",
            title=_("Due reminders"),
            icon="schedule",
            url_name="admin:reminders_reminder_changelist",
            permission="reminders.view_reminder",
        ),
        order=20,
    )
    registry.customer_panels.register(
        "coming",
        Panel(
            title=_("What is coming"),
            render=coming_panel,
            permission="reminders.view_reminder",
            column="side",
        ),
        order=40,
    )
    # After the strip of health on the operations board, which has the usual order, and over its whole width.
    for name, boards, width in (
        ("reminders", ("marketing", "service"), 6),
        ("reminders_today", ("operations",), 12),
    ):
        registry.dashboard_cards.register(
            name,
            DashboardCard(
                boards=boards,
                title=_("Reminders"),
                render=reminders_card,
                width=width,
                permission="reminders.view_reminder",
                refresh_seconds=60,
            ),
            order=120,
        )
    registry.origins.register(
        ORIGIN,
        Origin(label=_("Reminder rule"), resolve=resolve_rules, permission="reminders.view_reminderrule"),
    )
    registry.planned_sends.register("reminders", planned)
    registry.personal_data.register(
        "reminders.Reminder", PersonalData(export=export_reminders, erase=erase_reminders)
    )
    registry.personal_data.register(
        "reminders.Occasion", PersonalData(export=export_occasions, erase=erase_occasions)
    )
