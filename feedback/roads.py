"""Where customer service shows itself on the pages of the apps below and of the console."""

from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from feedback import dashboard, panels, personal_data, reminding
from feedback.models import Case
from feedback.services import incoming, sweeps
from notifyhub.core import registry
from notifyhub.core.registry import DashboardCard, NavItem, Origin, Panel, Tick
from notifyhub.messaging.registry import reply_takers
from notifyhub.staff.verbs import VERBS

VIEW = "feedback.view_case"
# The audit trail's words for what staff do with a case, by the kind of its history line.
VERBS_OF_A_CASE = {
    "log_case": _("Logged a case"),
    "claim_case": _("Claimed a case"),
    "assign_case": _("Assigned a case"),
    "first_reply_case": _("Took a case by answering"),
    "wait_customer_case": _("Set a case waiting for the customer"),
    "wait_dept_case": _("Set a case waiting for a department"),
    "wait_third_case": _("Set a case waiting for a third party"),
    "customer_replied_case": _("Opened a case again because the customer was heard"),
    "resume_case": _("Took a case up again"),
    "resolve_case": _("Resolved a case"),
    "reopen_case": _("Reopened a case"),
    "close_case": _("Closed a case"),
    "void_case": _("Set a case aside"),
    "restore_case": _("Took a case back"),
    "merge_case": _("Merged a case"),
    "update_case": _("Corrected a case"),
    "reply_case": _("Replied in a case"),
    "note_case": _("Left an internal note in a case"),
    "call_case": _("Wrote down a call in a case"),
    "name_customer_case": _("Named the customer of a case"),
    "retry_case": _("Sent a failed reply again"),
    "update_time_limit": _("Changed a time limit"),
    "update_category": _("Changed a category"),
}


def open_badge(request: Any) -> int | None:
    """Return how many open cases the viewer owns, for the sidebar."""
    count = Case.objects.in_view("mine", user=request.user, now=timezone.now()).count()
    return count or None


def quick_log(request: Any) -> str:
    """Return the quick log's dialog and script, for everybody who may log a call."""
    if not request.user.has_perm("feedback.add_case"):
        return ""
    return render_to_string("feedback/log_chrome.html", {}, request)


def register() -> None:
    """Open the roads."""
    VERBS.update(VERBS_OF_A_CASE)
    personal_data.register()
    reminding.register()
    _navigation()
    _cards()
    registry.chrome.register("feedback", quick_log)
    registry.customer_panels.register(
        "feedback",
        Panel(title=_("Cases"), render=panels.cases_panel, permission=VIEW, column="right"),
        order=20,
    )
    registry.customer_actions.register("feedback", panels.log_action, order=10)
    registry.customer_timeline.register("feedback", panels.case_entries)
    registry.search.register("cases", panels.find_cases, order=20)
    registry.origins.register(
        "case",
        Origin(
            label=_("Case"),
            resolve=panels.resolve_origins,
            permission=VIEW,
            title=lambda number: gettext("Reply to case %s") % number,
            trigger=lambda author: gettext("Reply written by %s") % author,
        ),
    )
    reply_takers.register("case", incoming.take_reply)
    registry.ticks.register(
        "cases",
        Tick(run=sweeps.run_case_sweep, every_seconds=15, label=_("Clocks, waits and replies of cases")),
    )
    registry.ticks.register(
        "cases_closing",
        Tick(run=sweeps.close_resolved, every_seconds=300, label=_("Closing of resolved cases")),
    )


def _navigation() -> None:
    items = (
        ("cases", _("Cases"), "support_agent", "admin:feedback_case_changelist", VIEW, open_badge, 10),
        (
            "case_categories",
            _("Categories"),
            "category",
            "admin:feedback_category_changelist",
            "feedback.view_category",
            None,
            80,
        ),
        (
            "case_limits",
            _("Time limits"),
            "timer",
            "admin:feedback_slapolicy_changelist",
            "feedback.view_slapolicy",
            None,
            90,
        ),
    )
    for name, title, icon, url_name, permission, badge, order in items:
        registry.navigation.register(
            name,
            NavItem(
                section="service",
                title=title,
                icon=icon,
                url_name=url_name,
                permission=permission,
                badge=badge,
            ),
            order=order,
        )


def _cards() -> None:
    cards = (
        ("service_numbers", _("Service now"), dashboard.numbers_card, 12, 15, True),
        ("service_queue", _("My queue"), dashboard.queue_card, 7, 30, False),
        ("service_volume", _("This week by category"), dashboard.volume_card, 5, 300, False),
        ("service_hours", _("Today by hour"), dashboard.hours_card, 12, 300, False),
    )
    for order, (name, title, render, width, refresh, headless) in enumerate(cards, start=1):
        registry.dashboard_cards.register(
            name,
            DashboardCard(
                boards=("service",),
                title=title,
                render=render,
                width=width,
                permission=VIEW,
                refresh_seconds=refresh,
                headless=headless,
            ),
            order=order * 10,
        )
