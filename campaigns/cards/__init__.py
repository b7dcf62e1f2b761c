"""The cards of the marketing dashboard: each at most five queries, read off counters and never the ledger."""

from django.http import HttpRequest
from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

from campaigns.cards.calendar import render_calendar
from campaigns.cards.numbers import render_funnel, render_numbers
from campaigns.cards.work import render_action, render_running
from notifyhub.core.registry import DashboardCard, dashboard_cards

BOARD = ("marketing",)
PERMISSION = "campaigns.view_campaign"


def stylesheet(request: HttpRequest) -> str:
    """Return the address of our stylesheet, which the dashboard needs as well as our own pages."""
    return static("campaigns/campaigns.css")


def register() -> None:
    """Hand the cards to the registry."""
    cards = {
        "campaigns_numbers": DashboardCard(
            boards=BOARD,
            title=_("Today"),
            render=render_numbers,
            permission=PERMISSION,
            refresh_seconds=10,
            headless=True,
        ),
        "campaigns_running": DashboardCard(
            boards=BOARD,
            title=_("Sending now"),
            render=render_running,
            permission=PERMISSION,
            width=8,
            refresh_seconds=10,
            headless=True,
        ),
        "campaigns_action": DashboardCard(
            boards=BOARD,
            title=_("Needs action"),
            render=render_action,
            permission=PERMISSION,
            width=4,
            refresh_seconds=30,
            headless=True,
        ),
        "campaigns_calendar": DashboardCard(
            boards=BOARD,
            title=_("Next 14 days"),
            render=render_calendar,
            permission=PERMISSION,
            headless=True,
        ),
        "campaigns_funnel": DashboardCard(
            boards=BOARD,
            title=_("Today's funnel"),
            render=render_funnel,
            permission=PERMISSION,
            refresh_seconds=30,
            headless=True,
        ),
    }
    for order, (name, card) in enumerate(cards.items(), start=1):
        dashboard_cards.register(name, card, order=order * 10)
