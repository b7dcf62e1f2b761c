"""The callbacks of the theme's settings: sidebar, page context, dashboards, environment label."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from notifyhub.console.boards import board_context, shown_board
from notifyhub.core.registry import SECTIONS, NavItem, chrome
from notifyhub.core.registry import navigation as entries
from notifyhub.messaging.models import Halt
from notifyhub.messaging.services.halts import HaltLine, halts_in_force

TITLES = {
    "marketing": _("Marketing"),
    "service": _("Customer service"),
    "schedules": _("Schedules"),
    "customers": _("Customers"),
    "messages": _("Messages"),
    "system": _("System"),
}

# A stopped account has others beside it, and a drained worker too: those stand on the operations page.
FOR_EVERYBODY = (Halt.Scope.ALL, Halt.Scope.CLASS, Halt.Scope.CHANNEL, Halt.Scope.RESTORED)


def _address(name: str) -> str | None:
    try:
        return reverse(name)
    except NoReverseMatch:
        return None


def _item(item: NavItem, link: str, links: list[str], request: HttpRequest) -> dict[str, Any]:
    path = request.path
    if "?board=" in link:
        own = path == reverse("admin:index") and link.endswith(f"={shown_board(request)}")
    else:
        # Of two entries of which one's address lies within the other's, the inner one is meant.
        own = path.startswith(link) and not any(
            other != link and other.startswith(link) and path.startswith(other) for other in links
        )
    active = own or any(path.startswith(prefix) for prefix in item.active_prefixes)
    entry: dict[str, Any] = {
        "title": item.title,
        "icon": item.icon,
        "link": link,
        "active": lambda _request, active=active: active,
    }
    if item.badge is not None and (count := item.badge(request)):
        entry["badge"] = str(count)
    return entry


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sidebar: the registered entries the viewer may open, by section."""
    user: Any = request.user
    if not user.is_authenticated:
        return []
    shown = []
    for item in entries:
        if item.permission and not user.has_perm(item.permission):
            continue
        link = _address(item.url_name) if not item.url_name.startswith("/") else item.url_name
        if link:
            shown.append((item, link))
    links = [link for _shown, link in shown]
    groups = []
    for section in SECTIONS:
        items = [_item(item, link, links, request) for item, link in shown if item.section == section]
        if items:
            groups.append(
                {"title": TITLES[section], "separator": False, "collapsible": False, "items": items}
            )
    return groups


def page_context(request: HttpRequest) -> dict[str, Any]:
    """Return what every page of the console needs: the bell, and what apps add to each page."""
    if not request.user.is_authenticated:
        return {}
    return {
        "bell_url": _address("admin:staff_notices"),
        "search_url": _address("admin:console_search"),
        "chrome_html": _chrome(request),
        # Asked when a page shows it; the parts that pages reload do not.
        "standing_still": standing_still,
    }


def standing_still() -> list[HaltLine]:
    """Return the orders that stop what colleagues outside operations send."""
    return halts_in_force(scopes=FOR_EVERYBODY)


def _chrome(request: HttpRequest) -> SafeString:
    return mark_safe("".join(add(request) for add in chrome))


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the context of the first page: the viewer's board and its cards."""
    return {**context, **board_context(request)}


def environment(request: HttpRequest) -> list[str] | None:
    """Return the label beside the title outside production."""
    return None if settings.PRODUCTION else [str(_("Demo")), "warning"]


def stylesheet(request: HttpRequest) -> str:
    """Return the address of the console's stylesheet."""
    return static("console/console.css")


def script(request: HttpRequest) -> str:
    """Return the address of the console's script."""
    return static("console/console.js")


def favicon(request: HttpRequest) -> str:
    """Return the address of the icon."""
    return static("console/icon.svg")
