"""The console's own entries: its sidebar items and the operations card."""

from typing import Any

from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _

from notifyhub.console.operations import alerts_for, operations, troubles
from notifyhub.core import registry
from notifyhub.core.registry import DashboardCard, NavItem


def operations_card(request: Any) -> str:
    """Return the operations page as one card."""
    context = {**operations(), **alerts_for(request), "may_act": False}
    return render_to_string("console/operations/body.html", context, request)


def register() -> None:
    """Open the roads to the registries."""
    boards = (
        ("marketing", _("Dashboard"), "campaigns.view_campaign"),
        ("service", _("Dashboard"), "feedback.view_case"),
    )
    for section, title, permission in boards:
        registry.navigation.register(
            f"board_{section}",
            NavItem(
                section=section,
                title=title,
                icon="dashboard",
                url_name=f"/admin/?board={section}",
                permission=permission,
            ),
            order=0,
        )
    registry.navigation.register(
        "operations",
        NavItem(
            section="system",
            title=_("Operations"),
            icon="monitor_heart",
            url_name="admin:console_operations",
            permission="staff.view_operations",
            badge=lambda request: troubles(request) or None,
        ),
        order=0,
    )
    registry.dashboard_cards.register(
        "operations",
        DashboardCard(
            boards=("operations",),
            title=_("Operations"),
            render=operations_card,
            permission="staff.view_operations",
            refresh_seconds=10,
            headless=True,
        ),
    )
