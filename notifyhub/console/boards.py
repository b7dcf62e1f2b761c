"""Dashboards: which boards a viewer has, and the cards on each."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from notifyhub.core.registry import DashboardCard, dashboard_cards
from notifyhub.staff import roles

BOARDS = {
    "marketing": _("Marketing dashboard"),
    "service": _("Service dashboard"),
    "operations": _("Operations dashboard"),
}

# The first board whose roles the viewer has is where they land.
LANDING = (
    ("operations", (roles.ADMINISTRATOR, roles.OPERATIONS)),
    ("service", (*roles.SERVICE, roles.DEPARTMENT_MEMBER, roles.QUALITY_REVIEWER)),
    ("marketing", (*roles.MARKETING, roles.ANALYST)),
)


# A card may sit on several boards; whose board it is decides this permission.
PERMISSIONS = {
    "marketing": "campaigns.view_campaign",
    "service": "feedback.view_case",
    "operations": "staff.view_operations",
}


def may_see(request: HttpRequest, card: DashboardCard) -> bool:
    """Say whether the viewer may see `card`."""
    user: Any = request.user
    return card.permission is None or user.has_perm(card.permission)


def cards_of(request: HttpRequest, board: str) -> list[tuple[str, DashboardCard]]:
    """Return (name, card) of one board that the viewer may see, in order."""
    return [
        (name, card)
        for name, card in dashboard_cards.items()
        if board in card.boards and may_see(request, card)
    ]


def boards_of(request: HttpRequest) -> list[str]:
    """Return the boards on which the viewer has at least one card, their own first."""
    user: Any = request.user
    # Asked for by the page and by the sidebar of the same request.
    held = user.__dict__.get("_role_names")
    if held is None:
        held = user.__dict__["_role_names"] = set(user.groups.values_list("name", flat=True))
    ranked = [board for board, wanted in LANDING if held & set(wanted)]
    if user.is_superuser and not ranked:
        ranked = ["marketing"]
    ranked += [board for board in BOARDS if board not in ranked]
    return [board for board in ranked if user.has_perm(PERMISSIONS[board]) and cards_of(request, board)]


def shown_board(request: HttpRequest) -> str:
    """Return the board that the first page shows: the one asked for, else the viewer's own, "" for none."""
    boards = boards_of(request)
    asked = request.GET.get("board", "")
    return asked if asked in boards else next(iter(boards), "")


def board_context(request: HttpRequest) -> dict[str, Any]:
    """Return the board to show, its cards, and the viewer's other boards."""
    boards = boards_of(request)
    chosen = shown_board(request)
    return {
        "board": chosen,
        "boards": [(board, BOARDS[board]) for board in boards],
        "cards": [
            {"card": card, "url": reverse("admin:console_card", args=[name])}
            for name, card in cards_of(request, chosen)
        ]
        if chosen
        else [],
        "crumbs": [(BOARDS[chosen], "")] if chosen else [(_("Dashboard"), "")],
        "is_fullwidth": "1",
    }
